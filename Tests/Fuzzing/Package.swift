// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the flags of the sanitizers stay out of the library's manifest.

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

let kit: Target.Dependency = .product(name: "LSTMPackKit", package: "lstmpack")
let parts: Target.Dependency = .product(name: "LSTMPackParts", package: "lstmpack")

func fuzzer(_ name: String, _ more: [Target.Dependency] = []) -> Target {
  .executableTarget(
    name: name, dependencies: ["FuzzSupport"] + more,
    swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}

let package = Package(
  name: "lstmpack-fuzzing",
  platforms: [.macOS(.v15)],
  // The name is given because a clone's folder may be called anything.
  dependencies: [.package(name: "lstmpack", path: "../..")],
  targets: [
    .target(name: "FuzzSupport", dependencies: [kit], swiftSettings: settings),
    .target(name: "CustomMutator", swiftSettings: settings),
    fuzzer("FuzzONNX"),
    fuzzer("FuzzHDF5"),
    fuzzer("FuzzKerasArchive", ["CustomMutator"]),
    fuzzer("FuzzSafetensors"),
    fuzzer("FuzzBVQ", ["CustomMutator"]),
    .executableTarget(name: "Mutate", dependencies: ["FuzzSupport", kit], swiftSettings: settings),
    .executableTarget(
      name: "Structure", dependencies: ["FuzzSupport", kit, parts], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
