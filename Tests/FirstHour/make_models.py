"""Makes the models and data of the first hours: python make_models.py [NAME ...]

Needs keras, tf_keras, tensorflow, torch, onnx, onnxscript, safetensors and numpy. What it writes is kept in models/,
so that run.sh needs lstmpack alone. Each model is trained a little on data that can be learned, so that the measured
quality means something.
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

HERE = Path(__file__).resolve().parent
OUT = HERE / "models"
random = np.random.default_rng(26)


def folder(name):
    path = OUT / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def coarse(values, steps=32):
    """Values on a coarse grid, which compress well in an .npz."""
    return (np.round(np.asarray(values) * steps) / steps).astype(np.float32)


def without_traces(path):
    """Takes the lines of Python source that torch notes for each node, with their paths, out of an ONNX file."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, path)


def windows_of_words(count, steps=20, words=120, classes=4):
    """Windows of tokens; the class is the topic whose words are in the majority."""
    labels = random.integers(0, classes, count)
    x = random.integers(0, words, (count, steps))
    topic = random.random((count, steps)) < 0.35
    own = labels[:, None] * (words // classes) + random.integers(0, words // classes, (count, steps))
    return np.where(topic, own, x).astype(np.int32), labels.astype(np.int32)


def keras3_text():
    """A Keras 3 text classifier with 2,000 labelled windows."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((20,), dtype="int32"), keras.layers.Embedding(120, 16), keras.layers.LSTM(24),
        keras.layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*windows_of_words(4000), epochs=6, batch_size=64, verbose=0)
    out = folder("keras3-text")
    model.save(out / "model.keras", include_optimizer=False)
    x, y = windows_of_words(2000)
    np.savez_compressed(out / "test.npz", x=x, y=y)
    print("keras3-text", np.mean(model.predict(x, verbose=0).argmax(1) == y))


def sensors(count, steps=40, channels=3):
    """Shaken and resting sensors."""
    labels = random.integers(0, 2, count)
    time = np.arange(steps)[None, :, None]
    phase = random.random((count, 1, channels)) * 6.28
    shake = np.sin(time * 0.7 + phase) * labels[:, None, None] * 0.5
    return coarse(shake + random.normal(0, 0.5, (count, steps, channels)), 8), labels.astype(np.int8)


def tfkeras_sensor():
    """A tf_keras sensor model in .h5: two LSTMs and a sigmoid."""
    import tf_keras

    tf_keras.utils.set_random_seed(2)
    model = tf_keras.Sequential([
        tf_keras.layers.LSTM(24, return_sequences=True, input_shape=(40, 3)), tf_keras.layers.Dropout(0.2),
        tf_keras.layers.LSTM(12), tf_keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.fit(*sensors(3000), epochs=5, batch_size=64, verbose=0)
    out = folder("tfkeras-sensor")
    model.save(out / "model.h5", include_optimizer=False)
    x, y = sensors(300)
    np.savez_compressed(out / "test.npz", x=x, y=y)
    print("tfkeras-sensor", np.mean((model.predict(x, verbose=0)[:, 0] > 0.5) == y))


def sentences(lines):
    """Lines of a small grammar."""
    names = "the a one my your".split()
    nouns = "cat dog bird horse child man woman tree river house".split()
    verbs = "sees likes follows finds leaves".split()
    ends = "today again slowly at night in spring".split(",")
    text = []
    for _ in range(lines):
        a, b = random.choice(nouns, 2)
        text.append(f"{random.choice(names)} {a} {random.choice(verbs)} {random.choice(names)} {b} "
                    f"{random.choice(ends).strip()}")
    return text


def torch_lm():
    """A PyTorch language model by the default exporter."""
    import json

    import torch

    torch.manual_seed(3)
    out = folder("torch-lm")
    train, test = sentences(1500), sentences(300)
    words = ["<eos>", "<unk>"] + sorted({word for line in train for word in line.split()})
    number = {word: index for index, word in enumerate(words)}
    (out / "vocab.json").write_text(json.dumps(words))
    (out / "test.txt").write_text("\n".join(test) + "\n")

    class LanguageModel(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(len(words), 24)
            self.lstm = torch.nn.LSTM(24, 32, num_layers=2, batch_first=True)
            self.decoder = torch.nn.Linear(32, len(words))

        def forward(self, tokens):
            return self.decoder(self.lstm(self.embedding(tokens))[0])

    model = LanguageModel()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    tokens = torch.tensor([number[word] for line in train for word in line.split() + ["<eos>"]])
    rows = tokens[: len(tokens) // 33 * 33].reshape(-1, 33)
    for _ in range(12):
        for start in range(0, len(rows), 16):
            part = rows[start:start + 16]
            loss = torch.nn.functional.cross_entropy(
                model(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("torch-lm", loss.item())
    model.eval()
    tokens = torch.export.Dim("sequence"), torch.export.Dim("batch")
    torch.onnx.export(
        model, (rows[:2, :-1],), out / "model.onnx", input_names=["tokens"], output_names=["logits"],
        dynamic_shapes=({0: tokens[1], 1: tokens[0]},), dynamo=True)
    without_traces(out / "model.onnx")


def torch_state_dict():
    """A PyTorch state dict, as .pt and as .safetensors, and what judges it: the model as ONNX."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(4)
    out = folder("torch-state-dict")

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(3, 24, batch_first=True)
            self.fc = torch.nn.Linear(24, 1)

        def forward(self, x):
            return torch.sigmoid(self.fc(self.lstm(x)[0][:, -1]))

    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    x, y = (torch.tensor(array) for array in sensors(3000))
    for _ in range(8):
        for start in range(0, len(x), 64):
            loss = torch.nn.functional.binary_cross_entropy(
                model(x[start:start + 64])[:, 0], y[start:start + 64].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("torch-state-dict", loss.item())
    torch.save(model.state_dict(), out / "model.pt")
    save_file(model.state_dict(), out / "model.safetensors")
    model.eval()
    torch.onnx.export(
        model, (x[:2],), out / "exported.onnx", input_names=["x"], output_names=["y"],
        dynamic_shapes=({0: torch.export.Dim("batch"), 1: torch.export.Dim("steps")},), dynamo=True)
    without_traces(out / "exported.onnx")
    x, y = sensors(300)
    np.savez_compressed(out / "test.npz", x=x, y=y)


def csv_forecast():
    """A time series in a CSV file: three columns, the model tells the next value of the first."""
    import keras

    keras.utils.set_random_seed(5)
    out = folder("csv-forecast")
    time = np.arange(6400)
    series = np.stack([
        np.sin(time * 0.21) + 0.4 * np.sin(time * 0.057), np.cos(time * 0.21),
        random.normal(0, 1, len(time))], 1)
    series[:, :2] += random.normal(0, 0.05, (len(time), 2))
    series = np.round(series, 3).astype(np.float32)
    window = 24
    starts = np.arange(0, 5000 - window)
    x = np.stack([series[start:start + window] for start in starts])
    y = series[starts + window, 0]
    model = keras.Sequential([
        keras.Input((window, 3)), keras.layers.LSTM(20), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=6, batch_size=64, verbose=0)
    model.save(out / "model.keras", include_optimizer=False)
    starts = np.arange(5000, len(series) - window, window)
    table = ["sine,cosine,noise"] + [",".join(f"{v:g}" for v in row) for row in series[5000:starts[-1] + window]]
    (out / "series.csv").write_text("\n".join(table) + "\n")
    (out / "next.csv").write_text("\n".join(f"{v:g}" for v in series[starts + window, 0]) + "\n")
    x = np.stack([series[start:start + window] for start in starts])
    print("csv-forecast", np.mean((model.predict(x, verbose=0)[:, 0] - series[starts + window, 0]) ** 2))


def keras_weights():
    """The weights of a Keras 3 model alone."""
    import keras

    keras.utils.set_random_seed(6)
    model = keras.Sequential([
        keras.Input((20,), dtype="int32"), keras.layers.Embedding(120, 16, name="tok"),
        keras.layers.Bidirectional(keras.layers.LSTM(16), name="reader"), keras.layers.Dense(12, activation="relu"),
        keras.layers.Dense(4, activation="softmax", name="scores")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*windows_of_words(3000), epochs=5, batch_size=64, verbose=0)
    out = folder("keras-weights")
    model.save_weights(out / "model.weights.h5")


def audio(count, steps=256):
    """Guitar-like sound and the same through a soft clipper with memory."""
    time = np.arange(steps)[None, :]
    x = sum(random.normal(0, 0.5, (count, 1)) * np.sin(
        time * random.uniform(0.02, 0.5, (count, 1)) + random.uniform(0, 6, (count, 1))) for _ in range(3))
    x = coarse(x, 64)
    low = np.zeros_like(x)
    for step in range(steps):
        low[:, step] = 0.7 * (low[:, step - 1] if step else 0) + 0.3 * x[:, step]
    return x[..., None], np.tanh(2.5 * low)[..., None].astype(np.float32)


def amplifier():
    """A model of an amplifier as GuitarML trains them: an LSTM, a dense layer, and the input added; as ONNX."""
    import torch

    torch.manual_seed(7)
    out = folder("amplifier")

    class Amplifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rec = torch.nn.LSTM(1, 24, batch_first=True)
            self.lin = torch.nn.Linear(24, 1)

        def forward(self, x):
            return self.lin(self.rec(x)[0]) + x

    model = Amplifier()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    x, y = (torch.tensor(array) for array in audio(96))
    for _ in range(25):
        for start in range(0, len(x), 16):
            loss = torch.nn.functional.mse_loss(model(x[start:start + 16]), y[start:start + 16])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("amplifier", loss.item())
    model.eval()
    torch.onnx.export(
        model, (x[:2],), out / "model.onnx", input_names=["audio"], output_names=["out"],
        dynamic_axes={"audio": {0: "batch", 1: "samples"}, "out": {0: "batch", 1: "samples"}}, dynamo=False)
    x, y = audio(24)
    np.savez_compressed(out / "test.npz", audio=x, y=coarse(y, 512))


def tagger():
    """A bidirectional tagger with a label for each step: a Keras 3 functional model in .h5."""
    import keras

    keras.utils.set_random_seed(8)

    def data(count, steps=16, words=60):
        x = random.integers(1, words, (count, steps))
        shifted = np.concatenate([x[:, 1:], np.zeros((count, 1), int)], 1)
        before = np.concatenate([np.zeros((count, 1), int), x[:, :-1]], 1)
        return x.astype(np.int32), ((x % 2) + (shifted > before) * 2).astype(np.int32)

    inputs = keras.Input((None,), dtype="int32", name="words")
    y = keras.layers.Embedding(60, 16)(inputs)
    y = keras.layers.Bidirectional(keras.layers.LSTM(20, return_sequences=True))(y)
    outputs = keras.layers.TimeDistributed(keras.layers.Dense(4, activation="softmax"))(y)
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*data(3000), epochs=6, batch_size=64, verbose=0)
    out = folder("tagger")
    model.save(out / "model.h5", include_optimizer=False)
    x, y = data(300)
    np.savez_compressed(out / "test.npz", words=x, y=y)
    print("tagger", np.mean(model.predict(x, verbose=0).argmax(2) == y))


def word_lm():
    """Texts for a word model that lstmpack trains itself; the new text has words that it never saw."""
    out = folder("word-lm")
    lines = sentences(1500)
    for index in range(0, len(lines), 40):
        lines[index] += f" said person{index}"
    (out / "train.txt").write_text("\n".join(lines) + "\n")
    new = sentences(300)
    for index in range(0, len(new), 25):
        new[index] += f" said stranger{index}"
    (out / "new.txt").write_text("\n".join(new) + "\n")


def streaming():
    """A streaming model: one step a call, the states as inputs and outputs."""
    import torch

    torch.manual_seed(9)
    out = folder("streaming")

    class Enhancer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(8, 24, num_layers=2)
            self.mask = torch.nn.Linear(24, 8)

        def forward(self, frame, h, c):
            y, (h, c) = self.lstm(frame, (h, c))
            return torch.sigmoid(self.mask(y)), h, c

    def data(count, steps=60):
        clean = (np.sin(np.arange(steps)[None, :, None] * random.uniform(0.05, 0.4, (count, 1, 8))) > 0.3)
        noisy = clean + random.normal(0, 0.4, (count, steps, 8))
        return coarse(noisy, 8), clean.astype(np.float32)

    model = Enhancer()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    x, y = (torch.tensor(array).transpose(0, 1) for array in data(256))
    for _ in range(12):
        for start in range(0, 256, 32):
            part = slice(start, start + 32)
            zero = torch.zeros(2, 32, 24)
            loss = torch.nn.functional.binary_cross_entropy(model(x[:, part], zero, zero)[0], y[:, part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("streaming", loss.item())
    model.eval()
    zero = torch.zeros(2, 1, 24)
    torch.onnx.export(
        model, (x[:1, :1], zero, zero), out / "model.onnx", input_names=["frame", "h_in", "c_in"],
        output_names=["mask", "h_out", "c_out"], dynamo=False)
    x, _ = data(1, 400)
    (out / "frames.csv").write_text("\n".join(",".join(f"{v:g}" for v in row) for row in x[0]) + "\n")


ALL = [keras3_text, tfkeras_sensor, torch_lm, torch_state_dict, csv_forecast, keras_weights, amplifier, tagger,
       word_lm, streaming]

if __name__ == "__main__":
    if len(sys.argv) > 1:
        dict((f.__name__, f) for f in ALL)[sys.argv[1]]()
    else:
        # A process each: Keras and tf_keras do not live in one.
        for make in ALL:
            subprocess.run([sys.executable, __file__, make.__name__], check=True)
