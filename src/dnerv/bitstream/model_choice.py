"""The encoder's choice among frequency models. Only the encoder runs this: it may use floating point."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream import frequency_models as kinds
from dnerv.bitstream.ans import code_length_bits
from dnerv.bitstream.frequency_models import Bell, Constant, Uniform
from dnerv.bitstream.histogram import Histogram, fit_histogram

Model = Uniform | Constant | Bell | Histogram
Counts = NDArray[np.int64]

_GAUSSIAN_SCALE_0, _LAPLACE_SCALE_0 = 0.2123, 0.1803  # of scale index 0, in symbols


def choose_model(counts: Counts, recent: Sequence[tuple[Model, int]]) -> tuple[Model, bytes]:
    """Return the model under which `counts` [alphabet], sum > 0, take the fewest bits, and its bytes.

    `recent` are the (model, alphabet) of the streams before; one of the last 16 may be used again.
    """
    present = np.flatnonzero(counts)
    if present.size == 1:
        candidates = [_written(Constant(int(present[0])))]
    else:
        fresh: tuple[Model, ...] = (Uniform(), *_fit_bells(counts), fit_histogram(counts))
        candidates = [_written(model) for model in fresh]
    candidates += _repeats(counts.size, recent)
    return min(candidates, key=lambda candidate: _bits(counts, *candidate))


def _written(model: Model) -> tuple[Model, bytes]:
    return model, model.encode()


def _bits(counts: Counts, model: Model, model_bytes: bytes) -> float:
    return 8 * len(model_bytes) + code_length_bits(counts, model.table(counts.size))


def _repeats(alphabet: int, recent: Sequence[tuple[Model, int]]) -> list[tuple[Model, bytes]]:
    """Return every model that can be named by how many streams ago it was used."""
    nearest_first = recent[: -kinds.REPEAT_REACH - 1 : -1]
    repeats: dict[Model, bytes] = {}
    for back, (model, its_alphabet) in enumerate(nearest_first):
        if its_alphabet == alphabet:
            repeats.setdefault(model, bytes([kinds.REPEAT + back]))
    return list(repeats.items())


def _fit_bells(counts: Counts) -> Iterator[Bell]:
    """Yield the best Gaussian in one byte, Gaussian in three and Laplace in three."""
    alphabet = counts.size
    symbols = np.arange(alphabet)
    mean = float((symbols * counts).sum() / counts.sum())
    spread = np.abs(symbols - mean)
    deviation = float(np.sqrt((spread**2 * counts).sum() / counts.sum()))
    centre = round(mean * 255 / (alphabet - 1))
    gaussian = _scale_index(deviation / _GAUSSIAN_SCALE_0)
    laplace = _scale_index(float((spread * counts).sum() / counts.sum()) / _LAPLACE_SCALE_0)
    edge = min(255, int(256 * (counts[0] + counts[-1]) / counts.sum()))
    yield _descend(Bell(kinds.CENTRED_GAUSSIAN, gaussian), counts, ("scale",))
    yield _descend(Bell(kinds.GAUSSIAN, gaussian, centre, edge), counts, ("scale", "centre", "edge"))
    yield _descend(Bell(kinds.LAPLACE, laplace, centre, edge), counts, ("scale", "centre", "edge"))


def _scale_index(ratio: float) -> int:
    return int(np.clip(np.rint(6 * np.log2(max(ratio, 1e-3))), 0, kinds.SCALES - 1))


def _descend(bell: Bell, counts: Counts, parameters: Sequence[str]) -> Bell:
    """Walk each parameter in turn downhill in code length, until none moves."""

    def cost(candidate: Bell) -> float:
        return code_length_bits(counts, candidate.table(counts.size))

    for _ in range(4):
        before = bell
        for parameter in parameters:
            bell = _walk(bell, parameter, cost)
        if bell == before:
            break
    return bell


def _walk(bell: Bell, parameter: str, cost: Callable[[Bell], float]) -> Bell:
    limit = kinds.SCALES - 1 if parameter == "scale" else 255
    lowest = cost(bell)
    for stride in (8, -8, 1, -1):
        while 0 <= getattr(bell, parameter) + stride <= limit:
            moved = replace(bell, **{parameter: getattr(bell, parameter) + stride})
            if (bits := cost(moved)) >= lowest:
                break
            bell, lowest = moved, bits
    return bell
