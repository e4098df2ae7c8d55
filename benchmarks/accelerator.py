"""What an accelerator does with networks and base layers: whether its results are the processor's, and how fast it is.

    python benchmarks/accelerator.py ARCHIVE... --json FILE       # some three minutes on one GPU
    python benchmarks/accelerator.py ARCHIVE --device cpu --tiny  # the same on a processor, as the tests run it

Frames of the archives are compared with those that the processor decodes in fp32; gradients with those of the plain
modules on the processor. Decoding and training are timed on the paper's networks with random weights, 256x320, beside
the transcription of the authors' form; loading on the archives. Base layers that the device converts must have the very
frames of the processor, whatever the samples are; they are timed beside those that the processor converts. A part that
fails is named, and the others still run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import transcription
from side_by_side import machine
from torch import Tensor

from dnerv.archive import Archive
from dnerv.codecs import Planes
from dnerv.codecs.colour import ColourConverter, samples_of
from dnerv.codecs.colour_on_device import rgb_of
from dnerv.codecs.colour_tables import is_exact
from dnerv.engine import Decoder, Differentiable
from dnerv.families import ClipInputs, DNeRVConfig, build_model, count_parameters, load_published_state
from dnerv.loading import Loader
from dnerv.training.losses import frame_loss
from dnerv.video.planes import CODES

CPU = torch.device("cpu")
PRECISIONS = ("fp32", "bf16", "fp16")
LEAST_SECONDS = 1.0  # that a measurement takes, warming up aside
TINY = DNeRVConfig(6, grid=(2, 3), strides=(4, 2, 2), min_channels=8, encoder_channels=10, stem_channels=16)

Row = dict[str, Any]


def main() -> None:
    """Parse, check, measure, print a table."""
    options = _parser().parse_args()
    device = torch.device(options.device)
    networks = [TINY] if options.tiny else [DNeRVConfig(base_channels=width) for width in (107, 198)]
    parts: dict[str, Callable[[], list[Row]]] = {"ceilings": lambda: ceilings(device, small=options.tiny)}
    for path in options.archives:
        parts[f"frames of {path.name}"] = lambda path=path: frames(path, device, videos=options.videos)
    parts["colours"] = lambda: colours(device, small=options.tiny)
    for path in options.archives:
        parts[f"base layers of {path.name}"] = lambda path=path: base_layers(path, device, options)
    parts["gradients"] = lambda: gradients(networks[0], device)
    for config in networks:
        parts[f"decoding, C0 = {config.base_channels}"] = lambda config=config: decoding(config, device, options)
    parts["training"] = lambda: training(networks[0], device, options)
    for path in options.archives:
        parts[f"loading {path.name}"] = lambda path=path: loading(path, device, options)
    record: dict[str, Any] = {"device": _described(device), "machine": machine(), "rows": [], "failures": {}}
    started = time.monotonic()
    for name, part in parts.items():
        try:
            record["rows"] += [{"part": name, **row} for row in part()]
        except Exception:  # machines are lent for minutes: what can still be measured is
            record["failures"][name] = traceback.format_exc()
        print(f"{time.monotonic() - started:6.1f} s  {name}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(record, indent=1))
    show(record)
    if record["failures"]:
        raise SystemExit("\n".join(record["failures"].values()))


def ceilings(device: torch.device, *, small: bool) -> list[Row]:
    """A large copy, and a large matrix product."""
    count = 2**20 if small else 2**31
    source = torch.randint(0, 255, (count,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = 2 * count / seconds(lambda: target.copy_(source), device)
    side = 256 if small else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    multiplied = 2 * side**3 / seconds(lambda: a @ b, device)
    return [
        {"case": "copy, read and written", "unit": "GB/s", "values": {"": copied / 1e9}},
        {"case": "matrix product", "unit": "TFLOP/s", "values": {"bf16": multiplied / 1e12}},
    ]


def frames(path: Path, device: torch.device, *, videos: int) -> list[Row]:
    """Frames of an archive's first videos against the processor's in fp32."""
    with Archive(path, size="coded") as archive:
        names = archive.names[:videos]
        expected = torch.cat([archive[name][:] for name in names]).float()
    levels, decibels = {}, {}
    for name, precision, tf32 in _arithmetics(device):
        with _tf32(tf32), Archive(path, device=device, precision=precision, size="coded") as archive:
            made = torch.cat([archive[name][:] for name in names]).cpu().float()
        levels[name] = (made - expected).abs().max().item()
        decibels[name] = _psnr(made / 255, expected / 255)
    case = f"{len(expected)} frames against the processor's"
    return [
        {"case": case, "unit": "levels at most", "values": levels},
        {"case": case, "unit": "dB", "values": decibels},
    ]


def colours(device: torch.device, *, small: bool) -> list[Row]:
    """Random samples of every kind against swscale, and how fast they are RGB. Raises ValueError for a difference."""
    rng, compared, size = np.random.default_rng(0), 0, (66, 98) if small else (480, 854)
    kinds = [Planes(matrix, full, depth) for matrix in CODES for full in (False, True) for depth in (8, 10)]
    rates = {}
    for planes in filter(lambda planes: is_exact(planes, 0), kinds):
        frame, samples = _noise(planes, size, rng)
        expected = np.empty((3, *size), np.uint8)
        ColourConverter(planes).to_rgb_planes(frame, expected)
        if not np.array_equal(rgb_of(samples.to(device), planes, *size)[0].cpu(), expected):
            raise ValueError(f"frames of {planes} differ from the processor's")
        compared += 1
    for depth in (8, 10):
        planes = Planes(depth=depth)
        frame, samples = _noise(planes, size, rng)
        converter, many = ColourConverter(planes), samples.to(device).repeat(2 if small else 256, 1)
        rates[f"device, {depth} bits"] = len(many) / seconds(
            lambda many=many, planes=planes: rgb_of(many, planes, *size), device
        )
        rates[f"processor, {depth} bits, one thread"] = 1 / seconds(
            lambda converter=converter, frame=frame: converter.to_rgb_planes(frame, expected), CPU
        )
    shown = "x".join(map(str, size))
    return [
        {"case": f"noise of {compared} kinds, to the bit", "unit": "alike", "values": {"": compared}},
        {"case": f"frames of {shown} to RGB", "unit": "frames/s", "values": rates},
    ]


def base_layers(path: Path, device: torch.device, options: argparse.Namespace) -> list[Row]:
    """Whole epochs without the network: frames converted on the device and on the processor, to the bit alike.

    Nothing of an archive that has videos without a base layer. Raises ValueError for a difference.
    """
    with Archive(path, layers="base") as archive:
        if not all(entry.distance for entry in archive.entries):
            return []
    loaders = {
        place: Loader(
            path,
            batch_size=options.batch,
            shuffle=True,
            layers="base",
            device=device,
            precision="fp32",
            dtype=torch.uint8,
            conversion=place,
        )
        for place in ("processor", "device")
    }
    compared = 0
    for (clips, _, _), (same, _, _) in zip(*loaders.values(), strict=True):
        if not torch.equal(clips, same):
            raise ValueError("clips differ from those that the processor converts")
        compared += clips.shape[0] * clips.shape[1]
    rates: dict[str, list[float]] = {place: [] for place in loaders}
    for _ in range(3):  # in turns
        for place, loader in loaders.items():
            rates[place].append(_clips_a_second(loader, device, options.loading_seconds / 3))
    shape = "x".join(map(str, loaders["device"].clip_shape))
    return [
        {"case": "frames converted on the device, to the bit", "unit": "alike", "values": {"": compared}},
        {
            "case": f"clips of {shape}, batches of {options.batch}, base layers",
            "unit": "clips/s",
            "values": {f"converted on the {place}": statistics.median(each) for place, each in rates.items()},
        },
    ]


def gradients(config: DNeRVConfig, device: torch.device) -> list[Row]:
    """Of all parameters together, and of the frames themselves: ||ours - plain|| / ||plain||, plain on a processor."""
    inputs = transcription.clip_inputs(config, 2 * config.clip_length + 1, [0, 1])
    weight = torch.rand(2, config.clip_length, 3, *config.canvas, generator=torch.Generator().manual_seed(1))

    def computed(precision: str, place: torch.device) -> tuple[Tensor, Tensor]:
        model = _network(config, place).train().requires_grad_(True)
        made = Differentiable(model, precision)(inputs.to(place))  # type: ignore[arg-type]
        (made.float() * weight.to(place)).mean().backward()  # type: ignore[no-untyped-call]
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        return made.detach().cpu().double(), gradient.cpu().double()

    expected = computed("reference", CPU)
    errors: list[dict[str, float]] = [{}, {}]
    trained = [arithmetic for arithmetic in _arithmetics(device) if arithmetic[1] != "fp16"]
    for name, precision, tf32 in (("plain", "reference", False), *trained):
        with _tf32(tf32):
            for error, made, wanted in zip(errors, computed(precision, device), expected, strict=True):
                error[name] = ((made - wanted).norm() / wanted.norm()).item()
    cases = ("frames, relative error", "gradients, relative error")
    return [{"case": case, "unit": "", "values": error} for case, error in zip(cases, errors, strict=True)]


def decoding(config: DNeRVConfig, device: torch.device, options: argparse.Namespace) -> list[Row]:
    """Frames a second, keyframes' features included, from two clips and from many at once."""
    rows = []
    for count in (2, options.clips):
        inputs = _inputs(config, count, device)
        candidates: dict[str, Callable[[], Tensor]] = {"authors' form": _authors_form(config, inputs, device)}
        for precision in ("reference", *PRECISIONS):
            decoder = Decoder(_network(config, device), device, precision)  # type: ignore[arg-type]
            candidates[precision] = lambda decoder=decoder, inputs=inputs: decoder.decode(inputs)
        work = count * config.clip_length
        with torch.inference_mode():
            rates = {name: work / seconds(run, device) for name, run in candidates.items()}
        size = "x".join(map(str, config.canvas))
        rows.append({"case": f"{work} frames of {size} at once", "unit": "frames/s", "values": rates})
    return rows


def training(config: DNeRVConfig, device: torch.device, options: argparse.Namespace) -> list[Row]:
    """Frames a second: forward, the paper's loss, backward, AdamW."""
    rows = []
    for count in (2, options.clips):
        inputs, work = _inputs(config, count, device), count * config.clip_length
        wanted = torch.rand(work, 3, *config.canvas, device=device)
        mask = torch.ones(work, dtype=torch.bool, device=device)
        rates, memory = {}, {}
        for name in ("authors' form", "reference", *PRECISIONS[:2]):
            forward, parameters = _trainable(name, config, inputs, device)
            optimizer = torch.optim.AdamW(parameters, lr=5e-4, weight_decay=0.0, fused=True)

            def step(
                forward: Callable[[], Tensor] = forward,
                wanted: Tensor = wanted,
                mask: Tensor = mask,
                optimizer: torch.optim.Optimizer = optimizer,
            ) -> None:
                optimizer.zero_grad(set_to_none=True)
                loss = "l1-ssim" if min(config.canvas) > 10 else "l1"
                frame_loss(loss, forward(), wanted, mask).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            rates[name] = work / seconds(step, device)
            memory[name] = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
            del forward, parameters, optimizer, step
        case = f"steps of {work} frames, {count_parameters(config) / 1e6:.2f} M parameters"
        rows.append({"case": case, "unit": "frames/s", "values": rates})
        rows += [{"case": case, "unit": "GiB at most", "values": memory}] if device.type == "cuda" else []
    return rows


def loading(path: Path, device: torch.device, options: argparse.Namespace) -> list[Row]:
    """Clips a second out of whole epochs of shuffled batches; labels are checked."""
    rates = {}
    for name, place, precision in (
        ("processor, fp32", CPU, "fp32"),
        *((f"device, {precision}", device, precision) for precision in PRECISIONS),
    ):
        loader = Loader(
            path,
            batch_size=options.batch,
            shuffle=True,
            device=place,
            precision=precision,  # type: ignore[arg-type]
            dtype=torch.uint8,
        )
        if name == f"device, {PRECISIONS[0]}":
            _check_labels(loader, path)
        rates[name] = _clips_a_second(loader, place, options.loading_seconds)
    case = f"clips of {'x'.join(map(str, loader.clip_shape))}, batches of {options.batch}"
    return [{"case": case, "unit": "clips/s", "values": rates}]


def _clips_a_second(loader: Loader, device: torch.device, least_seconds: float) -> float:
    """Of whole epochs."""
    _wait(device)
    started, count = time.perf_counter(), 0
    while not count or time.perf_counter() - started < least_seconds:
        for clips, _, _ in loader:
            count += len(clips)
    _wait(device)
    return count / (time.perf_counter() - started)


def _noise(planes: Planes, size: tuple[int, int], rng: np.random.Generator) -> tuple[av.VideoFrame, Tensor]:
    """A picture of random samples, and these: [1, S]."""
    noise = rng.integers(0, 2**planes.depth, (size[0] * 3 // 2, size[1]))
    frame = av.VideoFrame.from_ndarray(noise.astype(np.uint8 if planes.depth == 8 else np.uint16), planes.pixel_format)
    return frame, torch.from_numpy(samples_of(frame))[None]


def show(record: Mapping[str, Any]) -> None:
    """The record as a table."""
    print(f"\n{record['device']}\n{record['machine']}")
    part = None
    for row in record["rows"]:
        if row["part"] != part:
            part = row["part"]
            print(part)
        values = "  ".join(f"{name} {_short(value)}".strip() for name, value in row["values"].items())
        print(f"  {row['case']}: {values} {row['unit']}".rstrip())
    for name in record["failures"]:
        print(f"{name} FAILED")


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Median time of a run, after two to warm up; at least three runs, and new ones until `LEAST_SECONDS` are over."""
    for _ in range(2):
        run()
    _wait(device)
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < LEAST_SECONDS:
        started = time.perf_counter()
        run()
        _wait(device)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _network(config: DNeRVConfig, device: torch.device) -> torch.nn.Module:
    model = build_model(config)
    load_published_state(model, transcription.authors_state(config), config)
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _inputs(config: DNeRVConfig, clips: int, device: torch.device) -> ClipInputs:
    return transcription.clip_inputs(config, clips * config.clip_length + 1, list(range(clips))).to(device)


def _authors_form(
    config: DNeRVConfig, inputs: ClipInputs, device: torch.device, state: transcription.State | None = None
) -> Callable[[], Tensor]:
    """-> [B, T, 3, H, W] by the transcription, the same clips."""
    state = state or {name: value.to(device) for name, value in transcription.authors_state(config).items()}
    clips = list(range(len(inputs.start)))
    before, after = inputs.keyframes[inputs.start[:, 0]], inputs.keyframes[inputs.end[:, 0]]
    pairs = torch.stack((before, after), dim=2)

    def made() -> Tensor:
        with device:
            return transcription.paper_dnerv(
                state, config, pairs, clips, len(clips) * config.clip_length + 1
            ).transpose(1, 2)

    return made


def _trainable(
    name: str, config: DNeRVConfig, inputs: ClipInputs, device: torch.device
) -> tuple[Callable[[], Tensor], list[Tensor]]:
    """Frames [N, 3, H, W] with gradients, and what they are gradients of."""
    if name == "authors' form":
        state = {k: v.to(device).requires_grad_() for k, v in transcription.authors_state(config).items()}
        made = _authors_form(config, inputs, device, state)
        return lambda: made().flatten(0, 1), list(state.values())
    model = _network(config, device).train().requires_grad_(True)
    network = Differentiable(model, name)  # type: ignore[arg-type]
    return lambda: network(inputs).flatten(0, 1), list(model.parameters())


def _check_labels(loader: Loader, path: Path) -> None:
    """One epoch: every clip once, its label that of its video. Raises ValueError."""
    with Archive(path) as archive:
        labels = {entry.name: entry.label for entry in archive.entries}
    seen: set[int] = set()
    for _, numbers, info in loader:
        seen.update(info["index"].tolist())
        for name, number in zip(info["video"], numbers.tolist(), strict=True):
            if labels[name] != (loader.class_names[number] if number >= 0 else None):
                raise ValueError(f"a clip of {name!r} is labelled {number}")
    if len(seen) != loader.num_clips:
        raise ValueError(f"an epoch had {len(seen)} of {loader.num_clips} clips")


def _arithmetics(device: torch.device) -> list[tuple[str, str, bool]]:
    """Name, precision, and whether fp32 may be computed in TF32: torch lets convolutions do so by default."""
    exact = [("fp32 without TF32", "fp32", False)] if device.type == "cuda" else []
    return [*exact, *((precision, precision, True) for precision in PRECISIONS)]


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed and before
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _psnr(made: Tensor, expected: Tensor) -> float:
    return -10 * torch.log10((made - expected).double().square().mean() + 1e-12).item()


def _short(value: float) -> str:
    return f"{value:.1e}" if value and abs(value) < 0.1 else f"{value:.4g}"


def _described(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path, nargs="+", help="archives of small videos with labels")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path, help="where the record goes, after every part")
    parser.add_argument("--tiny", action="store_true", help="a network of a few thousand parameters")
    parser.add_argument("--clips", type=int, default=16, help="clips of the larger batches (16)")
    parser.add_argument("--batch", type=int, default=16, help="clips of the loader's batches (16)")
    parser.add_argument("--videos", type=int, default=2, help="videos of each archive whose frames are compared (2)")
    parser.add_argument("--loading-seconds", type=float, default=4, help="of each loader (4)")
    return parser


if __name__ == "__main__":
    main()
