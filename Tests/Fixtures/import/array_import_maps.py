"""The maps of the odd files in `arrays/`, as a person would write them: `<case>.map.json`."""

import json
import os

from fixture_files import folder


def gate_arrays(kind):
    """One array for each gate; two of them are stored the other way round."""
    axes = {"see": ("input output", "output input"), "echo": ("output input", "input output"),
            "lean": ("1 output", "1 output")}[kind]
    names = {"i": "write", "f": "keep", "g": "idea", "o": "show"}
    return {gate: {"array": f"net/0/{name}/{kind}", "axes": axes[gate in "fo"]}
            for gate, name in names.items()}


def joined(array, gates, axes=None, cut=None):
    place = {"array": array, "gates": gates}
    if axes:
        place["axes"] = axes
    if cut:
        place["slice"] = cut
    return place


MAPS = {
    "odd_gates": {"inputWeights": gate_arrays("see"), "recurrentWeights": gate_arrays("echo"),
                  "bias": gate_arrays("lean")},
    "odd_joined": {"inputWeights": joined("joined", "o f i c", cut=[None, [3, 7]]),
                   "recurrentWeights": joined("joined", "o f i c", cut=[None, [0, 3]]),
                   "bias": joined("offset", "o f i c", "gate output")},
    "odd_rank3": {"inputWeights": joined("layer/x_gate_unit", "c i f o", "gate input output"),
                  "recurrentWeights": joined("layer/h_gate_unit", "c i f o", "input gate output"),
                  "bias": joined("layer/bias", "c i f o", "output gate")},
    "odd_interleaved": {"inputWeights": joined("a", "i f c o", "(output gate) input"),
                        "recurrentWeights": joined("b", "i f c o", "(output gate) input"),
                        "bias": joined("c", "i f c o", "(output gate)")},
    "odd_blocks": {"inputWeights": joined("kernel_input", "i f c o", "input (gate output)"),
                   "recurrentWeights": joined("kernel_state", "i f c o")},
    "odd_reverse": {"inputWeights": joined("rev_Wx", "i f o c", "input (gate output)"),
                    "recurrentWeights": joined("rev_Wh", "i f o c", "input (gate output)"),
                    "bias": joined("rev_b", "i f o c")},
}


def make():
    for case, blocks in MAPS.items():
        direction = "backward" if case == "odd_reverse" else "forward"
        with open(os.path.join(folder("arrays"), case + ".map.json"), "w") as file:
            json.dump({"layers": [{"name": case, direction: blocks}]}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    make()
