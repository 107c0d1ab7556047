import LSTMCore
import OrderedJSON

/// The version of Keras that wrote a file, and what it means where files are silent.
struct KerasVersion: Sendable {
  /// The version as the file states it, for example `2.2.4-tf`; `1` when it states none.
  let text: String
  private let parts: [Int]

  /// Reads a version; a file without one is of Keras 1.
  init(_ text: String?) {
    self.text = text ?? "1"
    parts = self.text.split { !$0.isNumber }.prefix(3).map { Int($0) ?? 0 }
  }

  /// The first number.
  var major: Int { parts.first ?? 1 }

  /// `hard_sigmoid` of this version: clip(x/6 + 0.5) since Keras 3, clip(0.2x + 0.5) before.
  var hardSigmoid: Activation {
    .hardSigmoid(alpha: major >= 3 ? Float(1.0 / 6.0) : 0.2, beta: 0.5)
  }

  /// The name of the recurrent activation that an `LSTM` has when nobody says otherwise.
  ///
  /// Standalone Keras before 2.3 uses `hard_sigmoid`; tf.keras 2 and Keras 2.3 and later `sigmoid`.
  var defaultRecurrentActivation: String {
    if text.contains("-tf") || major >= 3 { return "sigmoid" }
    let minor = parts.count > 1 ? parts[1] : 0
    return major == 2 && minor >= 3 ? "sigmoid" : "hard_sigmoid"
  }

  /// Whether a `Bidirectional` of this version zeroes masked outputs without a setting that says so:
  /// tf.keras 2 does, standalone Keras before 2.4 and Keras 3 do not.
  var forcesZeroOutputForMask: Bool {
    let minor = parts.count > 1 ? parts[1] : 0
    return major == 2 && (text.contains("-tf") || minor >= 4)
  }

  /// Whether a `TimeDistributed` of this version hands on the masks that its layer makes for each step: Keras 2
  /// since 2.2 and tf.keras 2 do; Keras 3 hands on the mask that it is given.
  var masksEachStep: Bool {
    let minor = parts.count > 1 ? parts[1] : 0
    return major == 2 && (text.contains("-tf") || minor >= 2)
  }

  /// The activation of a name in a config; `nil` for a name that lstmpack does not know.
  func activation(named name: String) -> Activation? {
    switch name {
    case "sigmoid": .sigmoid
    case "tanh": .tanh
    case "relu": Activation(.relu)
    case "hard_sigmoid": hardSigmoid
    case "linear": .linear
    case "elu": Activation(.elu, alpha: 1)
    case "softsign": Activation(.softsign)
    case "softplus": Activation(.softplus)
    case "swish", "silu": Activation(.swish)
    case "gelu": Activation(.gelu)
    case "selu": Activation(.selu)
    case "mish": Activation(.mish)
    case "exponential": Activation(.exponential)
    case "relu6": Activation(.relu6)
    case "softmax": Activation(.softmax)
    case "leaky_relu": Activation(.leakyRelu, alpha: 0.2)
    default: nil
    }
  }

  /// The name of an activation as a config gives it: text, or an object with a name in it.
  static func activationName(_ value: JSONValue) -> String {
    value.stringValue ?? value["config"]?.stringValue ?? value["class_name"]?.stringValue
      ?? value.serialized()
  }

  /// The names that `--recurrent-activation` takes.
  static let recurrentActivationNames = ["sigmoid", "hard_sigmoid", "tanh", "relu", "linear"]
}
