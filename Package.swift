// swift-tools-version: 6.2
import PackageDescription

// Targets are listed bottom-up; a target imports only what its line lists.
// ARCHITECTURE.md says what each one is for.

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: settings)
}

func system(_ name: String, pkgConfig: String? = nil, apt: String, brew: String) -> Target {
  .systemLibrary(
    name: name, pkgConfig: pkgConfig, providers: [.apt([apt]), .brew([brew])])
}

let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "lstmpack",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "LSTMPackKit", targets: ["LSTMPackKit"]),
    .library(name: "lstmpack_c", type: .dynamic, targets: ["LSTMPackC"]),
    .executable(name: "lstmpack", targets: ["lstmpack"]),
    // What the fuzzers of Tests/Fuzzing, a package of its own, take apart and run.
    .library(name: "LSTMPackParts", targets: ["HDF5", "ZipArchive", "LSTMPackC", "LSTMPackCLI"]),
    .executable(name: "lstmpack-bench", targets: ["lstmpack-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
  ],
  targets: [
    // 1: C libraries
    system("CHDF5", pkgConfig: "hdf5", apt: "libhdf5-dev", brew: "hdf5"),
    system(
      "CProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev", brew: "protobuf-c"),
    system("CLAPACKE", pkgConfig: "lapacke", apt: "liblapacke-dev", brew: "lapack"),
    system("CDNNL", apt: "libdnnl-dev", brew: "onednn"),
    system("CZip", pkgConfig: "libzip", apt: "libzip-dev", brew: "libzip"),
    system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev", brew: "openssl@3"),
    system("CDeflate", pkgConfig: "libdeflate", apt: "libdeflate-dev", brew: "libdeflate"),
    .target(name: "COnnx", dependencies: ["CProtobufC"]),
    .target(name: "CPackedKernels"),

    // 2: vocabulary and ground
    library("Diagnostics", []),
    library("OrderedJSON", ["Diagnostics"]),
    .target(
      name: "LSTMCore", dependencies: ["Diagnostics"], swiftSettings: settings,
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    library("FileSupport", ["Diagnostics", "CCrypto", "CDeflate"]),
    library("OneDNN", ["CDNNL"]),

    // 3: wrappers that know no LSTMs
    library("HDF5", ["Diagnostics", "FileSupport", "CHDF5"]),
    library("ZipArchive", ["Diagnostics", "CZip"]),
    library("ONNXProto", ["Diagnostics", "FileSupport", "COnnx", "CProtobufC"]),
    library("LinearAlgebra", ["Diagnostics", "LSTMCore", "CLAPACKE", "OneDNN"]),

    // 4: formats, the compression of one matrix, the runtime
    library(
      "Checkpoints",
      ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "HDF5", "ZipArchive", "ONNXProto"]),
    library("DataFiles", ["Diagnostics", "FileSupport", "ZipArchive"]),
    library("BVQ", ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport"]),
    library("MatrixCompression", ["Diagnostics", "LSTMCore", "OneDNN", "LinearAlgebra"]),
    library(
      "LSTMRuntime", ["Diagnostics", "LSTMCore", "FileSupport", "OneDNN", "CPackedKernels"]),

    // 5-6: whole models
    library(
      "ModelEvaluation",
      ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "DataFiles", "LSTMRuntime"]),
    library("ModelCompression", ["Diagnostics", "LSTMCore", "OrderedJSON", "MatrixCompression"]),
    library(
      "ModelCalibration",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "MatrixCompression", "LSTMRuntime",
        "ModelEvaluation", "ModelCompression",
      ]),
    library(
      "LSTMTraining",
      [
        "Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "DataFiles", "OneDNN",
        "LSTMRuntime", "ModelEvaluation",
      ]),
    library(
      "ModelAnalysis",
      [
        "Diagnostics", "LSTMCore", "LinearAlgebra", "MatrixCompression", "LSTMRuntime",
        "ModelEvaluation", "ModelCompression", "ModelCalibration",
      ]),

    library(
      "PlanSearch",
      [
        "Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "ModelEvaluation",
        "ModelCompression", "ModelAnalysis",
      ]),

    library(
      "ModelTuning",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "MatrixCompression", "LSTMRuntime",
        "ModelEvaluation", "ModelCalibration", "LSTMTraining",
      ]),

    library(
      "AnalysisReport",
      [
        "Diagnostics", "OrderedJSON", .product(name: "Mustache", package: "swift-mustache"),
      ]),

    // 8-10: product, command line, executables
    library(
      "LSTMPackKit",
      [
        "Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "Checkpoints", "BVQ",
        "MatrixCompression", "LSTMRuntime", "ModelEvaluation", "ModelAnalysis",
        "ModelCompression", "ModelCalibration", "LSTMTraining", "ModelTuning", "PlanSearch",
        "AnalysisReport",
      ]),
    library("LSTMPackC", ["Diagnostics", "FileSupport", "LSTMCore", "BVQ", "LSTMRuntime"]),
    library("LSTMPackCLI", ["LSTMPackKit", argumentParser]),
    .executableTarget(name: "lstmpack", dependencies: ["LSTMPackCLI"], swiftSettings: settings),
    library("BenchmarkData", ["Diagnostics", "LSTMCore", "FileSupport"]),
    .executableTarget(
      name: "lstmpack-bench", dependencies: ["LSTMPackKit", "BenchmarkData", argumentParser],
      swiftSettings: settings),

    // Tests
    .target(
      name: "TestSupport", dependencies: ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport"],
      path: "Tests/TestSupport", swiftSettings: settings),
    tests("DiagnosticsTests", ["Diagnostics"]),
    tests("LSTMCoreTests", ["Diagnostics", "LSTMCore"]),
    tests("OrderedJSONTests", ["Diagnostics", "OrderedJSON"]),
    tests("FileSupportTests", ["Diagnostics", "FileSupport"]),
    tests("HDF5Tests", ["Diagnostics", "FileSupport", "HDF5"]),
    tests("ZipArchiveTests", ["Diagnostics", "ZipArchive"]),
    tests("ONNXProtoTests", ["Diagnostics", "FileSupport", "ONNXProto"]),
    tests("DataFilesTests", ["Diagnostics", "FileSupport", "DataFiles"]),
    tests("LinearAlgebraTests", ["Diagnostics", "LSTMCore", "LinearAlgebra"]),
    tests(
      "MatrixCompressionTests", ["Diagnostics", "LSTMCore", "LinearAlgebra", "MatrixCompression"]),
    tests(
      "CheckpointsTests",
      ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "HDF5", "ONNXProto", "Checkpoints"]),
    tests(
      "LSTMRuntimeTests",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "HDF5", "DataFiles", "Checkpoints", "ONNXProto",
        "MatrixCompression", "LSTMRuntime",
      ]),
    tests(
      "ModelEvaluationTests",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "Checkpoints", "MatrixCompression",
        "LSTMRuntime", "ModelEvaluation",
      ]),
    tests("BVQTests", ["Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "BVQ"]),
    tests(
      "ModelCompressionTests",
      [
        "Diagnostics", "LSTMCore", "OrderedJSON", "MatrixCompression", "ModelCompression",
      ]),
    tests(
      "ModelCalibrationTests",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "Checkpoints", "MatrixCompression", "LSTMRuntime",
        "ModelEvaluation", "ModelCompression", "ModelCalibration",
      ]),
    tests(
      "ModelTuningTests",
      [
        "Diagnostics", "LSTMCore", "FileSupport", "Checkpoints", "MatrixCompression", "LSTMRuntime",
        "ModelEvaluation", "ModelCompression", "ModelCalibration", "LSTMTraining", "ModelTuning",
      ]),
    tests(
      "ModelAnalysisTests",
      [
        "Diagnostics", "LSTMCore", "OrderedJSON", "FileSupport", "Checkpoints", "MatrixCompression",
        "LSTMRuntime", "ModelEvaluation", "ModelCompression", "ModelAnalysis",
      ]),
    tests("AnalysisReportTests", ["Diagnostics", "OrderedJSON", "AnalysisReport"]),
    tests(
      "PlanSearchTests",
      [
        "Diagnostics", "LSTMCore", "MatrixCompression", "ModelEvaluation", "ModelCompression",
        "ModelAnalysis", "PlanSearch",
      ]),
    tests(
      "LSTMTrainingTests", ["Diagnostics", "LSTMCore", "FileSupport", "DataFiles", "LSTMTraining"]),
    tests("LSTMPackCTests", ["LSTMPackC", "LSTMPackKit"]),
    tests(
      "PipelineTests",
      ["LSTMPackKit", "LSTMPackCLI", "BenchmarkData", "lstmpack"]),
  ],
  swiftLanguageModes: [.v6]
)
