internal import CHDF5
public import Diagnostics

/// An HDF5 file to be written: groups, datasets of float32 and attributes of text.
///
/// The same content gives the same bytes: nothing in the file says when it was made.
public struct HDF5NewFile: Sendable {
  private enum Attribute: Sendable {
    case text(String)
    case texts([String])
  }

  private var datasets: [(path: String, shape: [Int], values: [Float])] = []
  private var groups: [String] = []
  private var attributes: [(object: String, name: String, value: Attribute)] = []

  /// Creates a file of nothing.
  public init() {}

  /// Adds a group; those around it are made, too.
  public mutating func addGroup(_ path: String) { groups.append(path) }

  /// Adds a dataset; groups around it are made.
  ///
  /// - Precondition: There are as many values as the shape says.
  public mutating func addDataset(_ path: String, shape: [Int], _ values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "Values must fill the shape")
    datasets.append((path, shape, values))
  }

  /// Adds an attribute of an object, the root being `/`.
  public mutating func setAttribute(_ name: String, of object: String, to text: String) {
    attributes.append((object, name, .text(text)))
  }

  /// Adds an attribute with a list of texts.
  public mutating func setAttribute(_ name: String, of object: String, to texts: [String]) {
    attributes.append((object, name, .texts(texts)))
  }

  /// The bytes of the file.
  ///
  /// - Throws: ``DiagnosticError`` when libhdf5 refuses something, such as two objects of one path.
  public func bytes() throws(DiagnosticError) -> [UInt8] {
    try HDF5Library.use { () throws(DiagnosticError) in
      let access = try Self.checked(H5Pcreate(lp_h5_file_access()))
      defer { H5Pclose(access) }
      guard H5Pset_fapl_core(access, 1 << 20, false) >= 0 else { throw Self.failure() }
      let file = try Self.checked(
        unsafe H5Fcreate(
          HDF5File.nextMemoryName(), lp_h5_truncate(), lp_h5_default(), access))
      defer { H5Fclose(file) }
      let links = try Self.checked(H5Pcreate(lp_h5_link_create()))
      defer { H5Pclose(links) }
      guard H5Pset_create_intermediate_group(links, 1) >= 0 else { throw Self.failure() }
      for path in groups {
        H5Gclose(
          try Self.checked(
            unsafe H5Gcreate2(file, path, links, lp_h5_default(), lp_h5_default()), path))
      }
      for dataset in datasets { try Self.write(dataset, to: file, links) }
      for attribute in attributes { try Self.write(attribute, to: file) }
      guard H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0 else { throw Self.failure() }
      let size = H5Fget_file_image(file, nil, 0)
      guard size > 0 else { throw Self.failure() }
      var bytes = [UInt8](repeating: 0, count: size)
      guard unsafe H5Fget_file_image(file, &bytes, size) == size else { throw Self.failure() }
      return bytes
    }
  }

  private static func write(
    _ dataset: (path: String, shape: [Int], values: [Float]), to file: hid_t, _ links: hid_t
  ) throws(DiagnosticError) {
    let space = try checked(
      unsafe H5Screate_simple(
        Int32(dataset.shape.count), dataset.shape.map { hsize_t($0) }, nil), dataset.path)
    defer { H5Sclose(space) }
    let creation = try checked(H5Pcreate(lp_h5_dataset_create()))
    defer { H5Pclose(creation) }
    guard H5Pset_obj_track_times(creation, false) >= 0 else { throw failure(dataset.path) }
    let id = try checked(
      unsafe H5Dcreate2(
        file, dataset.path, lp_h5_float32_little_endian(), space, links, creation,
        lp_h5_default()), dataset.path)
    defer { H5Dclose(id) }
    guard
      unsafe H5Dwrite(
        id, lp_h5_native_float(), lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(),
        dataset.values) >= 0
    else { throw failure(dataset.path) }
  }

  private static func write(
    _ attribute: (object: String, name: String, value: Attribute), to file: hid_t
  ) throws(DiagnosticError) {
    let object = try checked(
      unsafe H5Oopen(file, attribute.object, lp_h5_default()), attribute.object)
    defer { H5Oclose(object) }
    let type = try checked(H5Tcopy(lp_h5_c_s1()))
    defer { H5Tclose(type) }
    guard H5Tset_cset(type, H5T_CSET_UTF8) >= 0 else { throw failure(attribute.object) }
    func create(_ space: hid_t) throws(DiagnosticError) -> hid_t {
      defer { H5Sclose(space) }
      return try checked(
        unsafe H5Acreate2(
          object, attribute.name, type, try checked(space), lp_h5_default(), lp_h5_default()),
        attribute.object)
    }
    switch attribute.value {
    case .text(let text):
      // Of any length: libhdf5 limits what is stored in the attribute itself to 64 KB.
      guard H5Tset_size(type, lp_h5_variable()) >= 0 else { throw failure(attribute.object) }
      let id = try create(H5Screate(H5S_SCALAR))
      defer { H5Aclose(id) }
      let status = unsafe text.withCString { characters in
        var pointer: UnsafePointer<CChar>? = unsafe characters
        return unsafe H5Awrite(id, type, &pointer)
      }
      guard status >= 0 else { throw failure(attribute.object) }
    case .texts(let texts):
      let length = max(1, texts.map(\.utf8.count).max() ?? 1)
      guard H5Tset_size(type, length) >= 0, H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 else {
        throw failure(attribute.object)
      }
      let id = try create(unsafe H5Screate_simple(1, [hsize_t(texts.count)], nil))
      defer { H5Aclose(id) }
      let bytes = texts.flatMap { text in
        Array(text.utf8) + [UInt8](repeating: 0, count: length - text.utf8.count)
      }
      guard texts.isEmpty || (unsafe H5Awrite(id, type, bytes)) >= 0 else {
        throw failure(attribute.object)
      }
    }
  }

  private static func checked(
    _ identifier: hid_t, _ object: String? = nil
  ) throws(DiagnosticError) -> hid_t {
    guard identifier >= 0 else { throw failure(object) }
    return identifier
  }

  private static func failure(_ object: String? = nil) -> DiagnosticError {
    HDF5Library.failure("cannot be written", object: object)
  }
}
