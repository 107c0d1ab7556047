internal import CHDF5
public import Diagnostics

/// What the elements of a dataset are.
public enum HDF5ElementClass: Equatable, Sendable {
  /// Floating-point numbers of so many bytes.
  case float(byteCount: Int)
  /// The upper halves of binary32, which Keras 3 stores as opaque bytes with a note beside them.
  case bfloat16
  /// Integers of so many bytes.
  case integer(byteCount: Int, isSigned: Bool)
  /// Anything else: strings, compounds, enumerations.
  case other
}

/// The shape and type of a dataset.
public struct HDF5DatasetInfo: Equatable, Sendable {
  /// The sizes, outermost first; empty for a scalar.
  public let shape: [Int]
  /// What the elements are.
  public let elementClass: HDF5ElementClass
  /// The number of elements.
  public let elementCount: Int
}

extension HDF5File {
  /// The shape and type of a dataset, checked against the limits.
  ///
  /// - Throws: ``DiagnosticError`` when it cannot be read, when its data is outside the file, and
  ///   with code `limitExceeded` when it declares far more than is stored.
  public func info(ofDataset path: String) throws(DiagnosticError) -> HDF5DatasetInfo {
    try HDF5Library.use { () throws(DiagnosticError) in
      try withDataset(path) { (_, info) throws(DiagnosticError) in info }
    }
  }

  /// Reads a dataset as float32, converted from whatever it is stored as.
  ///
  /// - Returns: The elements, row-major.
  /// - Throws: As ``info(ofDataset:)``, and when the elements are not floating-point numbers.
  public func floats(ofDataset path: String) throws(DiagnosticError) -> [Float] {
    Self.dataAreRead()
    return try HDF5Library.use { () throws(DiagnosticError) in
      try withDataset(path) { (id, info) throws(DiagnosticError) in
        if info.elementClass == .bfloat16 {
          return try bfloat16Bytes(id, info, path).map { Float(bitPattern: UInt32($0) << 16) }
        }
        guard case .float = info.elementClass else {
          throw DiagnosticError(
            .malformedHDF5, object: path, "expected floating-point numbers, found another type")
        }
        var values = [Float](repeating: 0, count: info.elementCount)
        guard
          unsafe H5Dread(
            id, lp_h5_native_float(), lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(),
            &values) >= 0
        else {
          throw HDF5Library.failure("cannot be read; the file is damaged", object: path)
        }
        return values
      }
    }
  }

  /// Reads the elements of a dataset of numbers, little-endian.
  ///
  /// - Returns: The elements, row-major.
  /// - Throws: As ``info(ofDataset:)``, and when the elements are not numbers.
  public func littleEndianBytes(ofDataset path: String) throws(DiagnosticError) -> [UInt8] {
    Self.dataAreRead()
    return try HDF5Library.use { () throws(DiagnosticError) in
      try withDataset(path) { (id, info) throws(DiagnosticError) in
        let byteCount: Int
        switch info.elementClass {
        case .float(let size), .integer(let size, _): byteCount = size
        case .bfloat16:
          return try bfloat16Bytes(id, info, path).flatMap {
            [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)]
          }
        case .other:
          throw DiagnosticError(
            .malformedHDF5, object: path, "expected numbers, found another type")
        }
        let stored = try HDF5Library.checked(
          H5Dget_type(id), "has a type that cannot be read", object: path)
        defer { H5Tclose(stored) }
        let type = try HDF5Library.checked(
          H5Tcopy(stored), "has a type that cannot be read", object: path)
        defer { H5Tclose(type) }
        guard byteCount == 1 || H5Tset_order(type, H5T_ORDER_LE) >= 0 else {
          throw HDF5Library.failure("has a type that cannot be read", object: path)
        }
        var bytes = [UInt8](repeating: 0, count: info.elementCount * byteCount)
        guard
          unsafe H5Dread(
            id, type, lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(), &bytes) >= 0
        else {
          throw HDF5Library.failure("cannot be read; the file is damaged", object: path)
        }
        return bytes
      }
    }
  }

  /// The elements of a dataset of bfloat16: opaque bytes, little-endian as every machine that wrote them.
  private func bfloat16Bytes(
    _ id: hid_t, _ info: HDF5DatasetInfo, _ path: String
  ) throws(DiagnosticError) -> [UInt16] {
    let type = try HDF5Library.checked(
      H5Dget_type(id), "has a type that cannot be read", object: path)
    defer { H5Tclose(type) }
    var bytes = [UInt8](repeating: 0, count: info.elementCount * 2)
    guard
      unsafe H5Dread(id, type, lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(), &bytes) >= 0
    else { throw HDF5Library.failure("cannot be read; the file is damaged", object: path) }
    return (0..<info.elementCount).map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
  }

  private func withDataset<Result>(
    _ path: String, _ body: (hid_t, HDF5DatasetInfo) throws(DiagnosticError) -> Result
  ) throws(DiagnosticError) -> Result {
    guard try kind(of: path) == .dataset else {
      throw DiagnosticError(.malformedHDF5, object: path, "there is no dataset of that name")
    }
    let id = try HDF5Library.checked(
      unsafe H5Dopen2(identifier, path, lp_h5_default()), "cannot be opened", object: path)
    defer { H5Dclose(id) }
    return try body(id, try info(of: id, path: path))
  }

  private func info(of id: hid_t, path: String) throws(DiagnosticError) -> HDF5DatasetInfo {
    let type = try HDF5Library.checked(
      H5Dget_type(id), "has a type that cannot be read", object: path)
    defer { H5Tclose(type) }
    let size = H5Tget_size(type)
    let elementClass: HDF5ElementClass
    switch H5Tget_class(type) {
    case H5T_FLOAT where [2, 4, 8].contains(size): elementClass = .float(byteCount: size)
    case H5T_INTEGER where [1, 2, 4, 8].contains(size):
      elementClass = .integer(byteCount: size, isSigned: H5Tget_sign(type) == H5T_SGN_2)
    case H5T_OPAQUE where size == 2:
      let note = try string(ofAttribute: "dtype", at: path)
      elementClass = note == "bfloat16" ? .bfloat16 : .other
    default: elementClass = .other
    }
    let shape = try shape(of: id, path: path)
    let layout = try layout(of: id, path: path)
    let bytes = try checkedProduct(
      shape + [max(size, 4)], limit: Limit.datasetBytes, of: "the dataset \(path)")
    let stored = Int(clamping: H5Dget_storage_size(id))
    var fileSize: hsize_t = 0
    guard unsafe H5Fget_filesize(identifier, &fileSize) >= 0, stored <= Int(clamping: fileSize)
    else {
      throw DiagnosticError(
        .malformedHDF5, object: path,
        "stores \(stored) bytes, more than the \(fileSize) of the file; the file is damaged")
    }
    // Without a filter there is a byte for each that is declared, or none when nothing was written.
    guard layout == H5D_CHUNKED || stored == 0 || stored / max(size, 1) >= shape.reduce(1, *) else {
      throw DiagnosticError(
        .malformedHDF5, object: path,
        "has shape \(shape) but stores only \(stored) bytes; the file is damaged")
    }
    let (allowed, overflow) = stored.multipliedReportingOverflow(by: Limit.expansion)
    guard bytes <= max(Limit.smallDatasetBytes, overflow ? Int.max : allowed) else {
      throw DiagnosticError(
        .limitExceeded, object: path,
        "declares \(bytes) bytes but stores only \(stored), more than \(Limit.expansion) times "
          + "expanded")
    }
    return HDF5DatasetInfo(
      shape: shape, elementClass: elementClass, elementCount: shape.reduce(1, *))
  }

  private func shape(of id: hid_t, path: String) throws(DiagnosticError) -> [Int] {
    let space = try HDF5Library.checked(
      H5Dget_space(id), "has a shape that cannot be read", object: path)
    defer { H5Sclose(space) }
    let rank = H5Sget_simple_extent_ndims(space)
    guard (0...32).contains(rank) else {
      throw HDF5Library.failure("has a shape that cannot be read", object: path)
    }
    var sizes = [hsize_t](repeating: 0, count: Int(rank))
    guard unsafe H5Sget_simple_extent_dims(space, &sizes, nil) >= 0 else {
      throw HDF5Library.failure("has a shape that cannot be read", object: path)
    }
    return sizes.map { Int(clamping: $0) }
  }

  /// How the data lies in the file: compact, contiguous or in chunks; data outside the file is refused.
  private func layout(of id: hid_t, path: String) throws(DiagnosticError) -> H5D_layout_t {
    let properties = try HDF5Library.checked(
      H5Dget_create_plist(id), "has a layout that cannot be read", object: path)
    defer { H5Pclose(properties) }
    guard H5Pget_external_count(properties) == 0 else {
      throw DiagnosticError(
        .unsupportedHDF5, object: path, "keeps its data in another file; lstmpack reads one file",
        hint: "save the checkpoint with the data in it")
    }
    let layout = H5Pget_layout(properties)
    guard layout != H5D_VIRTUAL else {
      throw DiagnosticError(
        .unsupportedHDF5, object: path, "is a virtual dataset over other files",
        hint: "save the checkpoint with the data in it")
    }
    return layout
  }
}
