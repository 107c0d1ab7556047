"""The Keras models with cells, wrappers, models inside models, masks and states."""

import numpy as np

from array_import_keras import stack
from fixture_files import run_lstm

SAVED = ("h5", "keras")


def numpy_lstm(weights, x, reverse=False):
    """[batch, steps, units] of Keras weights, by the numpy cell."""
    kernel, recurrent, bias = weights
    y = run_lstm(x.transpose(1, 0, 2), [{"W": kernel.T, "R": recurrent.T, "b": bias,
                                         "reverse": reverse}], order="ifco")[0]
    return y[:, 0].transpose(1, 0, 2)


def numpy_stack(weights, x):
    for k in range(0, len(weights), 3):
        x = numpy_lstm(weights[k:k + 3], x)
    return x


def cells(k):
    def rnn(cell_options=None, **options):
        return lambda K, L: stack(K, [L.RNN(L.LSTMCell(3, name="cell", **(cell_options or {})),
                                            name="memory", **options)])

    def states(K, L):
        x = L.Input((5, 3), name="features")
        found = L.RNN(L.LSTMCell(3), return_sequences=True, return_state=True, name="memory")(x)
        return K.Model(x, found, name="model")

    def initial(K, L):
        x, h, c = (L.Input(s, name=n) for s, n in [((5, 3), "features"), ((4,), "h"), ((4,), "c")])
        y = L.RNN(L.LSTMCell(4), return_sequences=True, name="memory")(x, initial_state=[h, c])
        return K.Model([x, h, c], y, name="model")

    k.case("rnn_cell", rnn(), "RNN(LSTMCell)",
           check=lambda w, x: numpy_lstm(w, x)[:, -1])
    k.case("rnn_cell_sequences", rnn(return_sequences=True), "return_sequences", SAVED,
           check=numpy_lstm)
    k.case("rnn_cell_states", states, "return_sequences, return_state: three outputs", SAVED,
           check=numpy_lstm)
    k.case("rnn_cell_backwards", rnn(return_sequences=True, go_backwards=True),
           "go_backwards, all steps in the order of the computation", SAVED,
           check=lambda w, x: numpy_lstm(w, x[:, ::-1]))
    k.case("rnn_cell_backwards_last", rnn(go_backwards=True), "go_backwards, last step", ("h5",),
           check=lambda w, x: numpy_lstm(w, x[:, ::-1])[:, -1])
    k.case("rnn_cell_initial_state", initial, "initial_state from two inputs", SAVED)
    k.case("rnn_cell_no_bias", rnn({"use_bias": False}), "use_bias=False",
           check=lambda w, x: numpy_lstm(w + [np.zeros(12)], x)[:, -1])
    k.case("rnn_cell_hard_sigmoid", rnn({"recurrent_activation": "hard_sigmoid"}),
           "the hard_sigmoid of this library", SAVED)
    k.case("rnn_cell_relu", rnn({"activation": "relu"}), "activation relu", SAVED)
    k.case("rnn_cell_dropout", rnn({"dropout": 0.1, "recurrent_dropout": 0.2}),
           "dropout and recurrent_dropout: nothing of them is among the weights")
    k.case("lstm_dropout_lstm", lambda K, L: stack(
        K, [L.LSTM(3, return_sequences=True), L.Dropout(0.3), L.LSTM(2)]),
        "a Dropout between: Keras 3 saves the state of its random generator",
        check=lambda w, x: numpy_lstm(w[-3:], numpy_lstm(w[:3], x))[:, -1])

    def three(K, L):
        return stack(K, [L.RNN(L.LSTMCell(3), return_sequences=True, name="z"),
                         L.LSTM(2, return_sequences=True, name="y"),
                         L.RNN(L.LSTMCell(4), name="x"), L.Dense(2, name="w")])
    k.case("rnn_cell_and_lstm", three, "RNN(LSTMCell), LSTM, RNN(LSTMCell), Dense")


def stacked_cells(k):
    def rnn(units=(3, 2), explicit=False, **options):
        def build(K, L):
            made = [L.LSTMCell(n) for n in units]
            made = L.StackedRNNCells(made) if explicit else made
            return stack(K, [L.RNN(made, name="memory", **options)])
        return build

    def states(K, L):
        x = L.Input((5, 3), name="features")
        found = L.RNN([L.LSTMCell(3), L.LSTMCell(2)], return_sequences=True, return_state=True,
                      name="memory")(x)
        flat = [t for part in found for t in (part if isinstance(part, (list, tuple)) else [part])]
        return K.Model(x, flat, name="model")

    def various(K, L):
        return stack(K, [L.RNN([L.LSTMCell(3, recurrent_activation="hard_sigmoid", name="b"),
                                L.LSTMCell(2, activation="relu", use_bias=False, name="a")],
                               return_sequences=True, name="memory")])

    k.case("stacked", rnn(return_sequences=True), "RNN([LSTMCell, LSTMCell])", check=numpy_stack)
    k.case("stacked_last", rnn(), "the same, last step", ("h5",),
           check=lambda w, x: numpy_stack(w, x)[:, -1])
    k.case("stacked_explicit", rnn(explicit=True, return_sequences=True),
           "RNN(StackedRNNCells([…]))", check=numpy_stack)
    k.case("stacked_one", rnn((3,), explicit=True, return_sequences=True),
           "StackedRNNCells of one cell", check=numpy_stack)
    k.case("stacked_twelve", rnn((2,) * 12, return_sequences=True),
           "twelve cells: lstm_cell_10 comes after lstm_cell_9", check=numpy_stack)
    k.case("stacked_states", states, "return_state: out.1 … out.4 are the states of the cells",
           SAVED, check=numpy_stack)
    k.case("stacked_backwards", rnn(return_sequences=True, go_backwards=True),
           "go_backwards", SAVED, check=lambda w, x: numpy_stack(w, x[:, ::-1]))
    k.case("stacked_various", various, "hard_sigmoid in the first, relu without bias in the second")
    if k.tag == "k2":
        def reversed_states(K, L):
            made = L.StackedRNNCells([L.LSTMCell(3), L.LSTMCell(3)], reverse_state_order=True)
            return stack(K, [L.RNN(made, return_sequences=True, name="memory")])
        k.case("stacked_reverse_state_order", reversed_states, "reverse_state_order=True", ("h5",),
               check=numpy_stack)


def wrappers(k):
    def both(L, layer, **options):
        return L.Bidirectional(layer, name="both", **options)

    def cell(L, **options):
        return L.RNN(L.LSTMCell(3), return_sequences=True, **options)

    def own(K, L):
        back = L.RNN(L.LSTMCell(3, activation="softsign"), return_sequences=True,
                     go_backwards=True, name="back")
        return stack(K, [both(L, cell(L, name="onward"), backward_layer=back, merge_mode="sum")])

    def both_ways(w, x):
        return np.concatenate([numpy_lstm(w[:3], x), numpy_lstm(w[3:], x, True)], 2)

    k.case("bidirectional_rnn_cell", lambda K, L: stack(K, [both(L, cell(L))]),
           "Bidirectional(RNN(LSTMCell))", check=both_ways)
    k.case("bidirectional_rnn_cell_mul",
           lambda K, L: stack(K, [both(L, cell(L), merge_mode="mul")]), "merge_mode mul", ("h5",))
    k.case("bidirectional_rnn_cell_own", own, "a backward_layer with other activations", SAVED)
    k.case("bidirectional_stacked",
           lambda K, L: stack(K, [both(L, L.RNN([L.LSTMCell(3), L.LSTMCell(2)],
                                                return_sequences=True))]),
           "Bidirectional(RNN([LSTMCell, LSTMCell])): each direction is a stack of its own",
           check=lambda w, x: np.concatenate(
               [numpy_stack(w[:6], x), numpy_stack(w[6:], x[:, ::-1])[:, ::-1]], 2))

    def spread(layer):
        return lambda K, L: stack(K, [L.TimeDistributed(layer(K, L), name="each")], (2, 5, 3))

    def every(run):
        return lambda w, x: np.stack([run(w, x[:, n]) for n in range(x.shape[1])], 1)

    k.case("td_lstm", spread(lambda K, L: L.LSTM(3)), "TimeDistributed(LSTM)",
           check=every(lambda w, x: numpy_lstm(w, x)[:, -1]))
    k.case("td_lstm_sequences", spread(lambda K, L: L.LSTM(3, return_sequences=True)),
           "TimeDistributed(LSTM, return_sequences)", SAVED, check=every(numpy_lstm))
    k.case("td_rnn_cell", spread(lambda K, L: L.RNN(L.LSTMCell(3))),
           "TimeDistributed(RNN(LSTMCell))", check=every(lambda w, x: numpy_lstm(w, x)[:, -1]))
    k.case("td_bidirectional",
           spread(lambda K, L: L.Bidirectional(L.LSTM(3, return_sequences=True))),
           "TimeDistributed(Bidirectional(LSTM))", check=every(both_ways))
    k.case("td_dense", lambda K, L: stack(
        K, [L.LSTM(3, return_sequences=True), L.TimeDistributed(L.Dense(2, activation="tanh"))]),
        "LSTM, TimeDistributed(Dense)")
    k.case("td_td_dense", lambda K, L: stack(
        K, [L.TimeDistributed(L.LSTM(3, return_sequences=True)),
            L.TimeDistributed(L.TimeDistributed(L.Dense(2)))], (2, 5, 3)),
        "TimeDistributed(LSTM), TimeDistributed(TimeDistributed(Dense))")
    k.case("td_td_lstm", lambda K, L: stack(
        K, [L.TimeDistributed(L.TimeDistributed(L.LSTM(3)))], (2, 2, 4, 3)),
        "TimeDistributed(TimeDistributed(LSTM)): input of rank 5", SAVED)

    def inner(K, L):
        return K.Sequential([L.Input((5, 3), name="inside"), L.LSTM(3, name="deep"),
                             L.Dense(2, name="head")], name="sub")
    k.case("td_sequential", spread(inner), "TimeDistributed(Sequential([LSTM, Dense]))")
    k.case("td_then_lstm", lambda K, L: stack(
        K, [L.TimeDistributed(L.LSTM(3, name="words")), L.LSTM(2, name="sentences")], (2, 5, 3)),
        "TimeDistributed(LSTM), LSTM", check=lambda w, x: numpy_lstm(
            w[3:], np.stack([numpy_lstm(w[:3], x[:, n])[:, -1] for n in range(2)], 1))[:, -1])


def nested(k):
    def sequential(K, L):
        inside = K.Sequential([L.Input((5, 3), name="inside"),
                               L.Bidirectional(L.LSTM(3, return_sequences=True), name="both"),
                               L.Dense(2, name="narrow")], name="sub")
        return stack(K, [inside, L.LSTM(2, name="last")])

    def deep(K, L):
        third = K.Sequential([L.Input((5, 3), name="i3"),
                              L.LSTM(3, return_sequences=True, name="lstm_c")], name="third")
        second = K.Sequential([L.Input((5, 3), name="i2"), third,
                               L.LSTM(3, return_sequences=True, name="lstm_b")], name="second")
        return stack(K, [L.LSTM(3, return_sequences=True, name="lstm_a"), second,
                         L.RNN(L.LSTMCell(2), name="lstm_d")])

    def twice(K, L):
        x = L.Input((5, 3), name="inside")
        y = L.RNN(L.LSTMCell(3), name="memory")(x)
        inside = K.Model(x, L.Dense(2, name="head")(y), name="encoder")
        left, right = L.Input((5, 3), name="left"), L.Input((5, 3), name="right")
        joined = L.Concatenate(name="joined")([inside(left), inside(right)])
        return K.Model([left, right], [joined, L.Dense(1, name="score")(joined)], name="model")

    def layer_twice(K, L):
        left, right = L.Input((5, 3), name="left"), L.Input((5, 3), name="right")
        memory = L.LSTM(3, name="memory")
        return K.Model([left, right], [memory(left), memory(right)], name="model")

    k.case("nested_bidirectional", sequential, "a Bidirectional in a Sequential in a Sequential")
    k.case("nested_deep", deep, "three Sequential models, one in the other, LSTMs at every depth")
    k.case("nested_twice", twice, "a functional model called twice; two inputs, two outputs")
    k.case("lstm_twice", layer_twice, "an LSTM called twice; two inputs, two outputs", SAVED)


def masks(k):
    def pad(inputs):
        """The first sequence ends after three steps, the second lacks its first and third."""
        x = inputs[0]
        x[0, 3:] = 0
        x[1, [0, 2]] = 0

    def words(*layers):
        return lambda K, L: stack(
            K, [L.Embedding(7, 3, mask_zero=True, name="words")] + [make(L) for make in layers],
            (5,), dtype="int32")

    def masked(*layers):
        return lambda K, L: stack(K, [L.Masking(name="mask")] + [make(L) for make in layers])

    def memory(**options):
        return lambda L: L.LSTM(3, name="memory", **options)

    k.case("mask_embedding", words(memory()), "Embedding(mask_zero), LSTM", tokens=7, change=pad)
    k.case("mask_embedding_sequences", words(memory(return_sequences=True)),
           "the same with all steps", SAVED, tokens=7, change=pad)
    k.case("mask_rnn_cell", masked(lambda L: L.RNN(L.LSTMCell(3), return_sequences=True)),
           "Masking, RNN(LSTMCell)", SAVED, change=pad)
    k.case("mask_stacked", masked(lambda L: L.RNN([L.LSTMCell(3), L.LSTMCell(2)],
                                                  return_sequences=True)),
           "Masking, RNN([LSTMCell, LSTMCell])", SAVED, change=pad)
    k.case("mask_backwards", masked(memory(go_backwards=True, return_sequences=True)),
           "Masking, LSTM(go_backwards)", SAVED, change=pad)
    k.case("mask_bidirectional", masked(lambda L: L.Bidirectional(
        L.LSTM(3, return_sequences=True), name="both")), "Masking, Bidirectional(LSTM)", SAVED,
        change=pad)
    k.case("mask_two_lstms", masked(lambda L: L.LSTM(3, return_sequences=True), memory()),
           "Masking, LSTM, LSTM: the mask reaches the second", SAVED, change=pad)
    k.case("mask_zero_output", masked(lambda L: L.RNN(L.LSTMCell(3), return_sequences=True,
                                                      zero_output_for_mask=True)),
           "zero_output_for_mask", ("h5",), change=pad)
    k.case("mask_time_distributed", masked(
        memory(return_sequences=True), lambda L: L.TimeDistributed(L.Dense(2), name="head")),
        "Masking, LSTM, TimeDistributed(Dense)", ("h5",), change=pad)


def stateful(k):
    def build(make):
        def built(K, L):
            x = L.Input(batch_shape=(2, 5, 3), name="features")
            return K.Model(x, make(L)(x), name="model")
        return built

    k.case("stateful", build(lambda L: L.LSTM(3, stateful=True, name="memory")),
           "LSTM(stateful), states zero", check=lambda w, x: numpy_lstm(w[:3], x)[:, -1])
    k.case("stateful_rnn_cell", build(lambda L: L.RNN(
        L.LSTMCell(3), stateful=True, return_sequences=True, name="memory")),
        "RNN(LSTMCell, stateful), states zero", check=lambda w, x: numpy_lstm(w[:3], x))


def refused(k):
    def rnn(make, *more):
        return lambda K, L: stack(K, [f(L) for f in more] + [L.RNN(make(L), name="recurrent")])

    k.refused("gru_cell", rnn(lambda L: L.GRUCell(3)), "RNN(GRUCell)")
    k.refused("simple_rnn_cell", rnn(lambda L: L.SimpleRNNCell(3)), "RNN(SimpleRNNCell)")
    k.refused("stacked_mixed", rnn(lambda L: [L.LSTMCell(3), L.GRUCell(2)]),
              "RNN([LSTMCell, GRUCell])")
    k.refused("stacked_mixed_gru_first", rnn(lambda L: [L.GRUCell(3), L.LSTMCell(2)]),
              "RNN([GRUCell, LSTMCell])", SAVED)
    k.refused("td_gru", lambda K, L: stack(
        K, [L.TimeDistributed(L.GRU(3), name="each")], (2, 5, 3)), "TimeDistributed(GRU)")
    k.refused("bidirectional_gru_cell", lambda K, L: stack(
        K, [L.Bidirectional(L.RNN(L.GRUCell(3)), name="both")]), "Bidirectional(RNN(GRUCell))")
    for rank, shape in [(1, (2, 4, 1)), (2, (2, 3, 3, 1))]:
        k.refused(f"conv_lstm{rank}d", lambda K, L: stack(
            K, [getattr(L, f"ConvLSTM{rank}D")(2, 2, name="recurrent")], shape),
            f"ConvLSTM{rank}D")


def make(k):
    cells(k)
    stacked_cells(k)
    wrappers(k)
    nested(k)
    masks(k)
    stateful(k)
    refused(k)
