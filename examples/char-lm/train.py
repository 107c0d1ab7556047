#!/usr/bin/env python3
"""Train the example checkpoint: a character-level LSTM language model of War and Peace.

    python train.py --text DIR --out DIR [--epochs N] [--seed N]

DIR of --text holds train.txt, valid.txt and test.txt in UTF-8. The script writes to --out:

    vocab.json     characters by index; index 0, U+FFFD, stands for every character not listed
    heldout.txt    about 60 KB from the middle of test.txt, never trained on
    char-lm.h5     the Keras 2 model with the best validation loss, no optimizer state
    char-lm.onnx   the same network as ONNX: Gather, LSTM, LSTM, MatMul, Add, Softmax

char-lm.h5 is rewritten after every epoch that improves the validation loss, so a run that is
stopped leaves a usable model. `--epochs 0` trains nothing: it takes the char-lm.h5 and vocab.json
already in --out, writes the ONNX twin again and repeats the checks.

Both files are then read back and run over heldout.txt as one sequence. The script prints both
losses and fails if any probability differs by more than 1e-5.

One CPU thread is used throughout. requirements.txt lists the versions.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402
from onnx_twin import run_onnx, write_onnx  # noqa: E402

UNKNOWN = "\ufffd"
RAREST = 10  # a character seen less often than this in the training text becomes UNKNOWN
EMBEDDING, UNITS = 64, 120
BATCH, STEPS = 32, 64  # parallel streams of text; steps of truncated backpropagation
LEARNING_RATE, LAST_RATE = 3e-3, 1e-4
HELDOUT_BYTES = 60_000
SIZE_LIMIT = 1_000_000  # bytes, for each model file
TOLERANCE = 1e-5  # largest difference of a probability between Keras and ONNX Runtime
NAME = "char-lm"


def read_novel(path):
    """The novel's own lines of one file, without what Project Gutenberg added around them.

    The table of contents and the licence are cut off: the novel opens with a quotation mark, and
    the first line after it that names Project Gutenberg belongs to the closing notice.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if "\u201c" in line), 0)
    end = next((i for i in range(start, len(lines)) if "Project Gutenberg" in lines[i]), len(lines))
    return "".join(lines[start:end])


def cut_heldout(novel):
    """Whole lines from the middle of `novel`, at most HELDOUT_BYTES in UTF-8."""
    lines = novel.splitlines(keepends=True)
    taken, size = [], 0
    # Half the length to the left of the middle, so that the cut is centred.
    before, left = 0, (len(novel.encode()) - HELDOUT_BYTES) // 2
    for line in lines:
        length = len(line.encode())
        if before < left:
            before += length
        elif size + length <= HELDOUT_BYTES:
            taken.append(line)
            size += length
        else:
            break
    return "".join(taken)


def build_vocabulary(text):
    """UNKNOWN at index 0, then the characters frequent enough in `text`, by code point."""
    counts = {}
    for character in text:
        counts[character] = counts.get(character, 0) + 1
    return [UNKNOWN] + sorted(c for c, n in counts.items() if n >= RAREST)


def encode(text, vocabulary):
    """Indices of the characters of `text` [characters] int32; 0 for those not listed."""
    index = {character: i for i, character in enumerate(vocabulary)}
    return np.array([index.get(character, 0) for character in text], dtype=np.int32)


def build_model(size, shape=(None, None)):
    """The network over a vocabulary of `size` characters.

    Input [batch, time] int32, output [batch, time, size]: the distribution of the next character.
    A fixed `shape` [batch, time] makes the layers stateful, for training over consecutive windows.
    """
    fixed = None not in shape
    # Unrolling only changes the speed of training, by avoiding a loop operation per step.
    kind = {"return_sequences": True, "stateful": fixed, "unroll": fixed}
    return keras.Sequential(
        [
            keras.layers.InputLayer(batch_input_shape=shape, dtype="int32", name="characters"),
            keras.layers.Embedding(size, EMBEDDING, name="embedding"),
            keras.layers.LSTM(UNITS, name="lstm_1", **kind),
            keras.layers.LSTM(UNITS, name="lstm_2", **kind),
            keras.layers.Dense(size, activation="softmax", name="next_character"),
        ],
        name="char_lm",
    )


def windows(indices):
    """Inputs and targets [windows * BATCH, STEPS]: batch k holds window k of BATCH streams."""
    count = (len(indices) - 1) // (BATCH * STEPS)
    used = count * BATCH * STEPS

    def arrange(part):
        return part.reshape(BATCH, count, STEPS).transpose(1, 0, 2).reshape(-1, STEPS)

    return arrange(indices[:used]), arrange(indices[1 : used + 1])


def save_weights_as_model(weights, size, path):
    """Write a full, uncompiled model with these weights: no optimizer state, any batch and time."""
    model = build_model(size)
    model.set_weights(weights)
    partial = path.with_name(path.stem + ".partial.h5")
    model.save(partial, save_format="h5", include_optimizer=False)
    os.replace(partial, path)


def train(train_indices, valid_indices, size, epochs, seed, path):
    """Train for `epochs` epochs and leave the model with the best validation loss at `path`."""
    model = build_model(size, shape=(BATCH, STEPS))
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE,
        decay_steps=epochs * ((len(train_indices) - STEPS) // (BATCH * STEPS)),
        alpha=LAST_RATE / LEARNING_RATE,
    )
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    valid_x, valid_y = windows(valid_indices)
    offsets = np.random.default_rng(seed)
    best, began = float("inf"), time.monotonic()
    for epoch in range(1, epochs + 1):
        # Another first character each epoch, so that the windows are not always cut alike.
        x, y = windows(train_indices[offsets.integers(STEPS) :])
        model.reset_states()
        history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        model.reset_states()
        loss = model.evaluate(valid_x, valid_y, batch_size=BATCH, verbose=0)
        print(
            f"epoch {epoch:2}/{epochs}: bits per character: "
            f"training {history.history['loss'][0] / np.log(2):.4f}, "
            f"validation {loss / np.log(2):.4f}; {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if loss < best:
            best = loss
            save_weights_as_model(model.get_weights(), size, path)


def bits_per_character(probabilities, targets):
    """Mean of -log2 of the probability given to each of `targets` [time]."""
    given = probabilities[0, np.arange(len(targets)), targets].astype(np.float64)
    return float(-np.log2(given).mean())


def sample(weights, vocabulary, length, seed, temperature=0.6):
    """`length` characters drawn from the model after a new line, never UNKNOWN."""
    model = build_model(len(vocabulary), shape=(1, 1))
    model.set_weights(weights)
    generator = np.random.default_rng(seed)
    current, text = vocabulary.index("\n"), ""
    for _ in range(length):
        p = model(np.array([[current]], dtype=np.int32)).numpy()[0, 0].astype(np.float64)
        p[0] = 0
        p **= 1 / temperature
        current = int(generator.choice(len(vocabulary), p=p / p.sum()))
        text += vocabulary[current]
    return text


def check(out, vocabulary, seed):
    """Read both model files back, compare them on heldout.txt and print what was measured."""
    h5_path, onnx_path = out / f"{NAME}.h5", out / f"{NAME}.onnx"
    with h5py.File(h5_path) as file:
        if "optimizer_weights" in file:
            sys.exit(f"{h5_path}: holds optimizer weights, which the example must not")
    model = keras.models.load_model(h5_path, compile=False)
    write_onnx(model, onnx_path)
    for path in (h5_path, onnx_path):
        size = path.stat().st_size
        print(f"{path.name}: {size:,} bytes")
        if size >= SIZE_LIMIT:
            sys.exit(f"{path}: {size:,} bytes, expected fewer than {SIZE_LIMIT:,}")

    # newline="" leaves line ends as they are: they are characters to predict too.
    with open(out / "heldout.txt", encoding="utf-8", newline="") as file:
        text = file.read()
    indices = encode(text, vocabulary)
    inputs, targets = indices[:-1], indices[1:]
    in_keras = model.predict(inputs[np.newaxis], verbose=0)
    in_onnx = run_onnx(onnx_path, inputs)
    difference = float(np.abs(in_keras - in_onnx).max())
    print(f"vocabulary: {len(vocabulary)}; parameters: {model.count_params():,}")
    print(f"held-out: {len(targets):,} predictions, {int((indices == 0).sum())} unknown characters")
    print(
        f"held-out bits per character: Keras {bits_per_character(in_keras, targets):.4f}, "
        f"ONNX {bits_per_character(in_onnx, targets):.4f}"
    )
    print(f"largest difference of a probability: {difference:.1e}")
    print("sample:\n" + sample(model.get_weights(), vocabulary, 400, seed))
    if not difference <= TOLERANCE:
        sys.exit(f"{onnx_path}: differs from Keras by {difference:.1e}, more than {TOLERANCE:.0e}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, required=True, help="folder of the three texts")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=12, help="0: only rebuild and check (12)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the initial weights (1)")
    arguments = parser.parse_args()
    if arguments.epochs < 0:
        parser.error("--epochs must be 0 or more")

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(arguments.seed)
    tf.config.experimental.enable_op_determinism()

    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    heldout = cut_heldout(read_novel(arguments.text / "test.txt"))
    (out / "heldout.txt").write_text(heldout, encoding="utf-8", newline="")
    if arguments.epochs:
        novel = read_novel(arguments.text / "train.txt")
        vocabulary = build_vocabulary(novel)
        (out / "vocab.json").write_text(
            json.dumps(vocabulary, ensure_ascii=False, separators=(", ", ": ")) + "\n",
            encoding="utf-8",
        )
        train(
            encode(novel, vocabulary),
            encode(read_novel(arguments.text / "valid.txt"), vocabulary),
            len(vocabulary),
            arguments.epochs,
            arguments.seed,
            out / f"{NAME}.h5",
        )
    else:
        vocabulary = json.loads((out / "vocab.json").read_text(encoding="utf-8"))
    check(out, vocabulary, arguments.seed)


if __name__ == "__main__":
    main()
