"""Frames of an archive's network layer, by the plain modules of `dnerv.families`: docs/format.md, "Network layer".

    network_frames(PlainArchive("a.dnerv"), "bikes")     # uint8 [N, H, W, 3] RGB at the coded size

The networks themselves are the package's, and nothing else is: weights, times, keyframes and tiles are put together
here as the page says.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from plain_reader import neighbours

from dnerv.families import ClipInputs, build_model, config_from_json, tensor_shapes

PRIORS = Path(__file__).parents[1] / "golden/golden.prior"


def network_frames(archive, name):
    """All frames of a video."""
    record, video = archive.config["network"], archive.videos[name]
    assert video["network"], "the video does not use the network"
    config = config_from_json(record["model"])
    model = build_model(config).eval()
    weights = archive.weights(tensor_shapes(config))
    if record["model"].get("prior"):
        record = {**record, "model": {**record["model"], "prior": "", "addition": "everything"}}
        weights = with_additions(prior_weights(PRIORS, named=config.prior), weights)
        model = build_model(config_from_json(record["model"])).eval()
    model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    size, canvas = (video["coded_height"], video["coded_width"]), config.canvas
    coded = np.stack(archive.coded_frames(name)) if config.uses_keyframes else np.zeros((1, *size, 3), np.uint8)
    frames = []
    for first in range(0, video["frames"], config.clip_length):
        inputs = conditioning(video, record, config, first)
        made = np.zeros((config.clip_length, *size, 3))
        fades = [fade(side, tile, record["overlap"]) for side, tile in zip(size, canvas, strict=True)]
        for top, down in fades[0]:
            for left, across in fades[1]:
                tile = run(model, cut(coded, top, left, canvas), inputs)
                part = tile[:, : len(down), : len(across)] * (down[:, None] * across)[..., None]
                made[:, top : top + len(down), left : left + len(across)] += part
        real = min(config.clip_length, video["frames"] - first)
        frames.append(np.clip(np.rint(made[:real] * 255), 0, 255).astype(np.uint8))
    return np.concatenate(frames)


def prior_weights(path, named):
    """The weights of a `.prior` file, by name: safetensors, read by hand."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = {key: entry for key, entry in json.loads(data[8:start]).items() if key != "__metadata__"}
    weights, digest = {}, hashlib.blake2b(digest_size=16)
    for key in sorted(header):
        first, last = header[key]["data_offsets"]
        assert header[key]["dtype"] == "F16"
        digest.update(json.dumps([key, header[key]["shape"]]).encode())
        digest.update(data[start + first : start + last])
        weights[key] = np.frombuffer(data[start + first : start + last], "<f2").reshape(header[key]["shape"])
    assert digest.hexdigest() == named
    return weights


def with_additions(weights, added):
    """What `NETW` adds to a prior's weights."""
    made = {}
    for key, value in weights.items():
        value = value.astype(np.float32)
        gain = added.get(f"{key.rpartition('.')[0]}.gain")
        if gain is not None and value.ndim > 1:
            value = value * (np.float32(1) + gain).reshape(-1, *[1] * (value.ndim - 1))
        made[key] = value + added[key] if key in added else value
    return made


def conditioning(video, record, config, first):
    """What the network is told of the frames of the clip that begins with frame `first`."""
    count, length = video["frames"], config.clip_length
    every = config.keyframe_every or video["distance"]
    positions = [min(first + i, count - 1) for i in range(length)]  # the last clip repeats the last frame
    around = [neighbours(position, every, count) for position in positions]
    starts = np.array([start for start, _, _ in around])
    ends = np.minimum(starts + 1, (count - 1 + every - 1) // every)
    since = first + np.arange(length) - np.minimum(starts * every, count - 1)
    if config.absolute_time:
        time = (np.array(positions) + video["network"] - 1) / record["frames"]
    else:
        time = np.array(positions) / max(1, count - 1)
    return {
        "time": time.astype(np.float32),
        "start": starts,
        "end": ends,
        "distance": np.array([share for _, _, share in around], np.float32),
        "entry": ((since + 0.5) * 2 / every - 0.5).clip(0, 1).astype(np.float32),
        "coding": np.array([video["quarters_of_crf"] / 4, every], np.float32),
    }


def cut(coded, top, left, canvas):
    """A tile of all coded frames, its missing edges repeated: uint8 [M, canvas height, canvas width, 3]."""
    rows = np.minimum(top + np.arange(canvas[0]), coded.shape[1] - 1)
    columns = np.minimum(left + np.arange(canvas[1]), coded.shape[2] - 1)
    return coded[:, rows][:, :, columns]


def run(model, keyframes, inputs):
    """One clip of one tile: float64 [T, canvas height, canvas width, 3] in [0, 1]."""
    given = {key: torch.from_numpy(value)[None] for key, value in inputs.items()}
    with torch.inference_mode():
        made = model(ClipInputs(keyframes=torch.from_numpy(keyframes).movedim(-1, 1).float() / 255, **given))
    return made[0].movedim(1, -1).double().numpy()


def fade(side, tile, overlap):
    """First pixel of each tile along one axis, and its weight at each pixel; weights sum to 1."""
    count = 1 if side <= tile else -(-(side - overlap) // (tile - overlap))
    starts = [min(i * (tile - overlap), max(0, side - tile)) for i in range(count)]
    length = min(tile, side)
    inside = np.arange(1, length + 1)
    weights = np.zeros((count, side))
    for i, start in enumerate(starts):
        rising = inside / (length - (start - starts[i - 1]) + 1) if i else np.ones(length)
        falling = inside[::-1] / (length - (starts[i + 1] - start) + 1) if i + 1 < count else np.ones(length)
        weights[i, start : start + length] = np.minimum(1, np.minimum(rising, falling))
    weights /= weights.sum(0)
    return [(start, weights[i, start : start + length]) for i, start in enumerate(starts)]
