"""Arrays under the names of TensorFlow 1 cells in `arrays/`: kernel [inputs+outputs, 4 units] in
the order i j f o, a forget bias that is not in the file, peepholes and a projection."""

import warnings

import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells

from array_import_hdf5 import LIBRARY, write
from array_import_torch import BATCH, INPUTS, STEPS, UNITS
from fixture_files import Random, run_lstm


class Cell:
    """The variables of one cell by the end of their names."""

    def __init__(self, seed, inputs=INPUTS, units=UNITS, peepholes=False, projection=None,
                 forget_bias=1.0, backward=False, kind=np.float32):
        random = Random(seed)
        outputs = projection or units
        self.inputs, self.units, self.outputs = inputs, units, outputs
        self.forget_bias, self.backward = forget_bias, backward
        self.variables = {"kernel": random(inputs + outputs, 4 * units), "bias": random(4 * units)}
        if peepholes:
            self.variables.update({f"w_{gate}_diag": random(units) for gate in "fio"})
        if projection:
            self.variables["projection/kernel"] = random(units, projection)
        self.variables = {name: array.astype(kind) for name, array in self.variables.items()}

    def named(self, scope, end="", rename=None):
        return {f"{scope}/{(rename or {}).get(name, name)}{end}": array
                for name, array in self.variables.items()}

    def get(self, name):
        return self.variables[name].astype(np.float64)

    def direction(self, reverse):
        kernel = self.get("kernel")
        bias = self.get("bias")
        bias[2 * self.units:3 * self.units] += self.forget_bias
        made = {"W": kernel[:self.inputs].T, "R": kernel[self.inputs:].T, "b": bias,
                "reverse": reverse}
        if "w_i_diag" in self.variables:
            made["p"] = {gate: self.get(f"w_{gate}_diag") for gate in "iof"}
        if "projection/kernel" in self.variables:
            made["P"] = self.get("projection/kernel").T
        return made

    def run(self, x, reverse):
        """[batch, steps, outputs] by the numpy cell, compared with TensorFlow's."""
        y = run_lstm(x.transpose(1, 0, 2), [self.direction(reverse)], order="icfo")[0]
        y = y[:, 0].transpose(1, 0, 2)
        difference = float(np.abs(y - self.run_tensorflow(x, reverse)).max())
        assert difference < 1e-6, f"TensorFlow's cell differs by {difference}"
        return y

    def run_tensorflow(self, x, reverse):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cell = legacy_cells.LSTMCell(
                self.units, use_peepholes="w_i_diag" in self.variables,
                num_proj=self.outputs if "projection/kernel" in self.variables else None,
                forget_bias=self.forget_bias, dtype=tf.float64)
        cell.build((None, self.inputs))
        for variable in cell.variables:
            end = variable.name.split(":")[0].split("/", 1)[1]
            variable.assign(self.get(end))
        state, ys = cell.zero_state(len(x), tf.float64), []
        steps = range(x.shape[1])
        for t in reversed(steps) if reverse else steps:
            y, state = cell(tf.constant(x[:, t], tf.float64), state)
            ys.append(y.numpy())
        return np.stack(ys[::-1] if reverse else ys, 1)


def results(case, layers):
    """Each layer is one cell, or two for the two directions."""
    random, arrays = Random(case + " inputs"), {}
    for k, cells in enumerate(layers):
        x = random(BATCH, STEPS, cells[0].inputs, scale=2)
        y = np.concatenate([cell.run(x, n == 1 or cell.backward)
                            for n, cell in enumerate(cells)], 2)
        arrays[f"in.{k}"], arrays[f"out.{k}"] = x, y.astype(np.float32)
    return arrays


def save(case, scopes, layers, note, end="", rename=None, more=None, **options):
    """`scopes` has one name for every cell of the layers, in their order."""
    arrays = {}
    for scope, cell in zip(scopes, [cell for cells in layers for cell in cells]):
        arrays.update(cell.named(scope, end, rename))
    arrays.update(more or {})
    write(case, arrays, results(case, layers), note, **options,
          library=f"{LIBRARY}, tf_keras legacy_cells of TensorFlow {tf.__version__}")


def one(name, scope, note, end="", rename=None, storage=None, more=None, **options):
    case = "tf1_" + name
    save(case, [scope], [[Cell(case, **options)]], note, end, rename, more, storage=storage)


def single_cells():
    one("basic", "rnn/basic_lstm_cell", "BasicLSTMCell")
    one("basic_no_scope", "basic_lstm_cell", "the same without rnn/")
    one("colon", "rnn/basic_lstm_cell", "names end in :0", end=":0")
    one("deep_scope", "model/encoder/rnn/basic_lstm_cell", "model/encoder/rnn/…")
    one("weights_biases", "rnn/basic_lstm_cell", "weights and biases, as before TensorFlow 1.2",
        rename={"kernel": "weights", "bias": "biases"})
    one("lstm_cell", "rnn/lstm_cell", "LSTMCell")
    one("peepholes", "rnn/lstm_cell", "LSTMCell, use_peepholes", peepholes=True)
    one("projection", "rnn/lstm_cell", "LSTMCell, num_proj=2", projection=2)
    one("projection_wide", "rnn/lstm_cell", "LSTMCell, num_proj larger than the cell",
        projection=UNITS + 2)
    one("peepholes_projection", "rnn/lstm_cell", "LSTMCell, both", peepholes=True, projection=2)
    one("block_cell", "rnn/lstm_cell", "LSTMBlockCell, use_peephole: the names of LSTMCell",
        peepholes=True)
    one("block_cell_name", "rnn/lstm_block_cell", "LSTMBlockCell under a scope of its name")
    one("fused_cell", "lstm_fused_cell", "LSTMBlockFusedCell, use_peephole", peepholes=True)
    one("cudnn_compatible", "cudnn_lstm/rnn/multi_rnn_cell/cell_0/cudnn_compatible_lstm_cell",
        "CudnnCompatibleLSTMCell: its forget bias is 0, nothing is added", forget_bias=0)
    one("gzip", "rnn/basic_lstm_cell", "chunked, gzip",
        storage={"chunks": True, "compression": "gzip"})
    one("float16", "rnn/basic_lstm_cell", "float16 arrays", kind=np.float16)
    one("float64", "rnn/lstm_cell", "float64 arrays, peepholes", kind=np.float64, peepholes=True)
    one("company", "rnn/basic_lstm_cell", "among an embedding, a dense layer and a step counter",
        more={"embedding": Random("embedding")(6, INPUTS),
              "dense/kernel": Random("dense")(UNITS, 2),
              "dense/bias": Random("bias")(2), "global_step": np.int64(12)})


def several_cells():
    case = "tf1_multi"
    scopes = [f"rnn/multi_rnn_cell/cell_{k}/basic_lstm_cell" for k in range(2)]
    save(case, scopes, [[Cell(case + "0")], [Cell(case + "1", inputs=UNITS, units=2)]],
         "MultiRNNCell of BasicLSTMCell")
    case = "tf1_multi_peepholes_projection"
    scopes = [f"rnn/multi_rnn_cell/cell_{k}/lstm_cell" for k in range(2)]
    save(case, scopes, [[Cell(case + "0", peepholes=True, projection=2)],
                        [Cell(case + "1", inputs=2, peepholes=True, projection=2)]],
         "MultiRNNCell of LSTMCell with peepholes and projection")
    case = "tf1_multi_11"
    scopes = [f"rnn/multi_rnn_cell/cell_{k}/basic_lstm_cell" for k in range(11)]
    save(case, scopes, [[Cell(f"{case} {k}", inputs=2, units=2)] for k in range(11)],
         "MultiRNNCell of 11: cell_10 comes after cell_9")

    both = ["bidirectional_rnn/fw/", "bidirectional_rnn/bw/"]
    case = "tf1_bidirectional"
    save(case, [way + "basic_lstm_cell" for way in both],
         [[Cell(case + "fw"), Cell(case + "bw")]], "bidirectional_dynamic_rnn")
    case = "tf1_bidirectional_peepholes_projection"
    save(case, [way + "lstm_cell" for way in both],
         [[Cell(case + way, peepholes=True, projection=2) for way in both]],
         "the same with LSTMCell, peepholes and projection")
    case = "tf1_bidirectional_multi"
    names = [f"{way}multi_rnn_cell/cell_{k}/basic_lstm_cell"
             for way in reversed(both) for k in range(2)]
    cells = [Cell(case + name, inputs=INPUTS if "cell_0" in name else UNITS,
                  backward="/bw/" in name) for name in names]
    save(case, names, [[cell] for cell in cells], "a MultiRNNCell in each direction, two stacks:"
         " layers bw cell_0, bw cell_1 (backward, output in the order of the input), fw cell_0,"
         " fw cell_1")
    case = "tf1_stack_bidirectional"
    names = [f"stack_bidirectional_rnn/cell_{k}/{way}basic_lstm_cell"
             for k in range(2) for way in both]
    cells = [Cell(case + name, inputs=INPUTS if "cell_0" in name else 2 * UNITS)
             for name in names]
    save(case, names, [cells[:2], cells[2:]], "stack_bidirectional_dynamic_rnn")


def make():
    single_cells()
    several_cells()
