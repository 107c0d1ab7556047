internal import CHDF5
public import Diagnostics

/// What a name in a group stands for.
public enum HDF5MemberKind: Equatable, Sendable {
  /// A group.
  case group
  /// A dataset.
  case dataset
}

/// A name in a group.
public struct HDF5Member: Equatable, Sendable {
  /// The name.
  public let name: String
  /// What it stands for.
  public let kind: HDF5MemberKind
}

extension HDF5File {
  /// The members of a group, by name in the order of the file's index.
  ///
  /// - Parameter group: The path of the group; `/` for the root.
  /// - Returns: The groups and datasets in it; committed types are left out.
  /// - Throws: ``DiagnosticError`` for soft and external links, too many members, damage.
  public func members(of group: String) throws(DiagnosticError) -> [HDF5Member] {
    try HDF5Library.use { () throws(DiagnosticError) in
      let id = try open(group)
      defer { H5Oclose(id) }
      var info = H5G_info_t()
      guard unsafe H5Gget_info(id, &info) >= 0 else {
        throw HDF5Library.failure("is not a group that can be read", object: group)
      }
      guard info.nlinks <= Limit.members else {
        throw DiagnosticError(
          .limitExceeded, object: group,
          "has \(info.nlinks) members, above the limit of \(Limit.members)")
      }
      var members: [HDF5Member] = []
      for index in 0..<hsize_t(info.nlinks) {
        let name = try linkName(id, index, group: group)
        let path = Self.join(group, name)
        try checkLink(id, name: name, path: path)
        guard let kind = try kind(id, name: name, path: path) else { continue }
        members.append(HDF5Member(name: name, kind: kind))
      }
      return members
    }
  }

  /// Whether a path leads to a group or dataset, through hard links only; `nil` when it leads
  /// nowhere.
  ///
  /// - Throws: ``DiagnosticError`` for soft and external links on the way.
  public func kind(of path: String) throws(DiagnosticError) -> HDF5MemberKind? {
    try HDF5Library.use { () throws(DiagnosticError) in
      var current = ""
      for part in path.split(separator: "/") {
        let parent = current.isEmpty ? "/" : current
        guard unsafe H5Lexists(identifier, Self.join(parent, String(part)), lp_h5_default()) > 0
        else {
          H5Eclear2(lp_h5_default_stack())
          return nil
        }
        current = Self.join(parent, String(part))
        try checkLink(identifier, name: current, path: current)
      }
      return current.isEmpty ? .group : try kind(identifier, name: current, path: current)
    }
  }

  /// The paths of all datasets below a group, depth first in the order of the index.
  ///
  /// - Throws: ``DiagnosticError`` as ``members(of:)``, and when groups nest too deeply.
  public func datasets(below group: String) throws(DiagnosticError) -> [String] {
    var paths: [String] = []
    try collectDatasets(below: group, depth: 0, into: &paths)
    return paths
  }

  private func collectDatasets(
    below group: String, depth: Int, into paths: inout [String]
  ) throws(DiagnosticError) {
    guard depth < Limit.depth else {
      throw DiagnosticError(
        .limitExceeded, object: group, "groups are nested deeper than \(Limit.depth) levels")
    }
    for member in try members(of: group) {
      let path = Self.join(group, member.name)
      switch member.kind {
      case .group: try collectDatasets(below: path, depth: depth + 1, into: &paths)
      case .dataset:
        guard paths.count < Limit.members else {
          throw DiagnosticError(
            .limitExceeded, object: group, "the file has more than \(Limit.members) datasets")
        }
        paths.append(path)
      }
    }
  }

  /// A path with a name added.
  public static func join(_ group: String, _ name: String) -> String {
    group.hasSuffix("/") ? group + name : group + "/" + name
  }

  /// Opens a group, dataset or committed type; the caller closes it with `H5Oclose`.
  func open(_ path: String) throws(DiagnosticError) -> hid_t {
    try HDF5Library.checked(
      unsafe H5Oopen(identifier, path, lp_h5_default()), "cannot be opened", object: path)
  }

  private func linkName(
    _ group: hid_t, _ index: hsize_t, group path: String
  ) throws(DiagnosticError) -> String {
    let length = unsafe H5Lget_name_by_idx(
      group, ".", H5_INDEX_NAME, H5_ITER_NATIVE, index, nil, 0, lp_h5_default())
    guard length >= 0, length < 1 << 16 else {
      throw HDF5Library.failure("has a member whose name cannot be read", object: path)
    }
    var buffer = [CChar](repeating: 0, count: length + 1)
    guard
      unsafe H5Lget_name_by_idx(
        group, ".", H5_INDEX_NAME, H5_ITER_NATIVE, index, &buffer, buffer.count, lp_h5_default())
        >= 0
    else { throw HDF5Library.failure("has a member whose name cannot be read", object: path) }
    return String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func checkLink(_ id: hid_t, name: String, path: String) throws(DiagnosticError) {
    var link = H5L_info_t()
    guard unsafe H5Lget_info(id, name, &link, lp_h5_default()) >= 0 else {
      throw HDF5Library.failure("cannot be read", object: path)
    }
    guard link.type == H5L_TYPE_HARD else {
      let kind = link.type == H5L_TYPE_SOFT ? "a soft link" : "a link to another file"
      throw DiagnosticError(
        .unsupportedHDF5, object: path, "is \(kind); lstmpack follows no links",
        hint: "save the checkpoint with the data in it")
    }
  }

  private func kind(
    _ id: hid_t, name: String, path: String
  ) throws(DiagnosticError) -> HDF5MemberKind? {
    let object = try HDF5Library.checked(
      unsafe H5Oopen(id, name, lp_h5_default()), "cannot be opened", object: path)
    defer { H5Oclose(object) }
    switch H5Iget_type(object) {
    case H5I_GROUP: return .group
    case H5I_DATASET: return .dataset
    default: return nil
    }
  }
}
