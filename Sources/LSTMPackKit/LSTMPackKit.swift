// The library product: one import for everything a program needs to read, analyse, compress and
// store models. Each target keeps its own documentation.

@_exported public import AnalysisReport
@_exported public import BVQ
@_exported public import Checkpoints
@_exported public import Diagnostics
@_exported public import FileSupport
@_exported public import LSTMCore
@_exported public import LSTMRuntime
@_exported public import LSTMTraining
@_exported public import MatrixCompression
@_exported public import ModelAnalysis
@_exported public import ModelCalibration
@_exported public import ModelCompression
@_exported public import ModelEvaluation
@_exported public import ModelTuning
@_exported public import OrderedJSON
@_exported public import PlanSearch
