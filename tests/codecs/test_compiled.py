"""What is compiled against swscale and NumPy, to the bit; and whatever does not fit is refused before it is touched."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from dnerv.codecs import Planes, SvtAv1, compiled
from dnerv.codecs.av1 import decode_pictures
from dnerv.codecs.colour import ColourConverter
from dnerv.codecs.colour_tables import COLUMN_UNIT, ROW_UNIT, SMALLEST_SIDE, coefficients, is_exact, weights
from dnerv.codecs.obu import split_sequence_header
from dnerv.video.planes import CODES

pytestmark = pytest.mark.skipif(
    compiled.planes is None, reason="dnerv was installed without a compiler: src/dnerv/codecs/_planes.c is not built"
)

KINDS = [Planes(matrix, full, depth) for matrix in CODES for full in (False, True) for depth in (8, 10)]
SIZES = [(SMALLEST_SIDE, SMALLEST_SIDE), (16, 50), (64, 64), (66, 70), (98, 66), (128, 160), (480, 854)]


def noise(planes: Planes, height: int, width: int, *, extreme: bool, seed: int = 0) -> av.VideoFrame:
    """Samples that no encoder would give."""
    samples = np.random.default_rng(seed).integers(0, 2**planes.depth, (height * 3 // 2, width))
    if extreme:
        samples = np.where(samples % 3, 2**planes.depth - 1, 0)  # the brightest impossible colours
    return av.VideoFrame.from_ndarray(samples.astype(np.uint8 if planes.depth == 8 else np.uint16), planes.pixel_format)


@pytest.mark.parametrize("planes", [planes for planes in KINDS if is_exact(planes, 0)], ids=str)
@pytest.mark.parametrize("extreme", [False, True], ids=["any", "extreme"])
def test_any_samples_become_what_swscale_makes_of_them(planes: Planes, extreme: bool) -> None:
    compiled_one, swscale = ColourConverter(planes, is_exact=True), ColourConverter(planes)
    for height, width in SIZES:
        frame = noise(planes, height, width, extreme=extreme)
        expected = swscale.to_rgb(frame)
        assert np.array_equal(compiled_one.to_rgb(frame), expected)
        for cut in ((0, 0), (1, 0), (0, 1), (1, 3), (height - 1, width - 1)):
            out = np.empty((3, height - cut[0], width - cut[1]), np.uint8)
            compiled_one.to_rgb_planes(frame, out)
            assert np.array_equal(out, expected.transpose(2, 0, 1)[:, : out.shape[1], : out.shape[2]])


def test_smaller_pictures_are_left_to_swscale() -> None:
    for height, width in ((8, 8), (SMALLEST_SIDE - 2, 64), (64, SMALLEST_SIDE - 2)):
        frame = noise(Planes(), height, width, extreme=False)
        expected = ColourConverter().to_rgb(frame)
        assert np.array_equal(ColourConverter(is_exact=True).to_rgb(frame), expected)


def arguments(height: int = 64, width: int = 70, gap: int = 0, depth: int = 10) -> list[object]:
    """What `to_rgb` is given for noise, with `gap` bytes after every row."""
    rng, dtype = np.random.default_rng(0), np.dtype(np.uint8 if depth == 8 else np.uint16)
    planes, lines = [], []
    for part in (1, 2, 2):
        line = width // part * dtype.itemsize + gap
        plane = rng.integers(0, 256, (height // part, line), np.uint8)
        samples = rng.integers(0, 2**depth, (height // part, width // part)).astype(dtype)
        plane[:, : line - gap] = samples.view(np.uint8)
        planes.append(plane.ravel()[: plane.size - gap])
        lines.append(line)
    return [
        tuple(planes),
        tuple(lines),
        (height, width),
        depth,
        weights(width // 2, ROW_UNIT),
        weights(height // 2, COLUMN_UNIT),
        np.array(coefficients(Planes()), np.int32),
        np.zeros((3, height, width), np.uint8),
        (height, width),
    ]


@pytest.mark.parametrize("depth", [8, 10])
def test_rows_may_have_gaps_of_any_length(depth: int) -> None:
    dense = arguments(depth=depth)
    compiled.planes.to_rgb(*dense)
    for gap in (1, 2, 58):
        padded = arguments(depth=depth, gap=gap)
        for plane, other, line, own in zip(dense[0], padded[0], padded[1], dense[1], strict=True):
            rows = np.append(other, np.zeros(gap, np.uint8)).reshape(-1, line)
            rows[:, :own] = plane.reshape(-1, own)
            other[:] = rows.ravel()[: other.size]
        compiled.planes.to_rgb(*padded)
        assert np.array_equal(padded[7], dense[7])


def replaced(place: int, value: object) -> list[object]:
    made = arguments()
    made[place] = value
    return made


def planes_cut(which: int) -> list[object]:
    made = arguments()
    made[0] = tuple(plane[:-1] if place == which else plane for place, plane in enumerate(made[0]))
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        *map(planes_cut, range(3)),
        *(replaced(1, lines) for lines in ((139, 70, 70), (140, 69, 70), (140, 70, 71), (0, 0, 0), (-140, -70, -70))),
        *(replaced(1, (2**62, 70, 70)) for _ in "1"),
        *(replaced(2, size) for size in ((66, 70), (64, 72), (63, 70), (0, 0), (-64, -70), (2**62, 2**62), (64, 6))),
        *(replaced(3, depth) for depth in (0, 7, 17, -1)),
        *(replaced(4, weights(count, ROW_UNIT)) for count in (34, 36)),
        *(replaced(5, weights(count, COLUMN_UNIT)) for count in (31, 33)),
        replaced(6, np.zeros(5, np.int32)),
        *(replaced(7, np.zeros(shape, np.uint8)) for shape in ((3, 64, 69), (3, 65, 70), (0,))),
        *(replaced(8, size) for size in ((65, 70), (64, 71), (0, 70), (64, 0), (-64, -70), (2**62, 2))),
    ],
)
def test_what_does_not_fit_is_refused(wrong: list[object]) -> None:
    with pytest.raises(ValueError, match=r"plane|picture|bits|weights|coefficients"):
        compiled.planes.to_rgb(*wrong)


def test_what_cannot_be_read_or_written_is_refused() -> None:
    still = np.zeros((3, 64, 70), np.uint8)
    still.flags.writeable = False
    for place, value in ((7, still), (7, np.zeros((3, 64, 140), np.uint8)[..., ::2]), (4, None), (0, (b"", b""))):
        with pytest.raises((TypeError, BufferError, ValueError)):
            compiled.planes.to_rgb(*replaced(place, value))


def test_blends_that_do_not_fit_are_refused() -> None:
    one, half = np.zeros(6, np.uint8), np.array([0.5], np.float32)
    nan, more = np.array([np.nan], np.float32), np.array([1.5], np.float32)
    for given in (
        (one, one[:5], half, one.copy()),
        (one, one, half, one[:5].copy()),
        (one, one, half, np.zeros(12, np.uint8)),
        (one, one, half.view(np.uint8)[:3], one.copy()),
        (one, one, nan, one.copy()),
        (one, one, more, one.copy()),
        (one[:0], one[:0], half, one.copy()),
    ):
        with pytest.raises(ValueError, match=r"shares|size"):
            compiled.planes.blend(*given)
    compiled.planes.blend(one[:0], one[:0], half, one[:0].copy())


def test_threads_may_convert_at_once() -> None:
    planes = Planes()
    frames = [noise(planes, 128, 160, extreme=False, seed=seed) for seed in range(8)]
    expected = [ColourConverter(planes).to_rgb(frame) for frame in frames]
    shared = ColourConverter(planes, is_exact=True)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            made = list(pool.map(shared.to_rgb, frames))
            assert all(map(np.array_equal, made, expected))


@pytest.mark.parametrize("planes", [Planes(), Planes("bt709", depth=8), Planes("bt2020", full_range=True)], ids=str)
def test_decoded_pictures_are_the_same_either_way(planes: Planes, moving_frames, monkeypatch) -> None:
    packets = [packet.data for packet in SvtAv1(planes=planes).keyframes(moving_frames(3, 67, 85), 30)]

    def pictures() -> list[np.ndarray]:
        return [picture.rgb_planes() for picture in decode_pictures(packets, height=67, width=85, planes=planes)]

    calls = []
    to_rgb = compiled.planes.to_rgb
    monkeypatch.setattr(compiled.planes, "to_rgb", lambda *given: calls.append(1) or to_rgb(*given))
    fast = pictures()
    assert len(calls) == 3 * is_exact(planes, 0)
    monkeypatch.setattr(compiled, "planes", None)
    assert all(map(np.array_equal, fast, pictures()))


def test_chroma_that_lies_elsewhere_is_left_to_swscale(moving_frames, monkeypatch) -> None:
    """A header that says so: its last bits are full range, position (2), separate steps, film grain and the end."""
    first = next(iter(SvtAv1().keyframes(moving_frames(1, 64, 64), 30))).data
    header, rest = split_sequence_header(first)
    bits = int.from_bytes(header, "big")
    end = (bits & -bits).bit_length()  # the bit that ends it is the lowest that is set
    moved = (bits | 1 << end + 2).to_bytes(len(header), "big")

    def picture(data: bytes) -> np.ndarray:
        (made,) = decode_pictures([data], height=64, width=64)
        return made.rgb_planes()

    fast = picture(first)
    elsewhere = picture(moved + rest)
    assert not np.array_equal(fast, elsewhere)
    monkeypatch.setattr(compiled, "planes", None)
    assert np.array_equal(elsewhere, picture(moved + rest))
    assert np.array_equal(fast, picture(first))
