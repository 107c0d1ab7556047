internal import CHDF5
public import Diagnostics
internal import FileSupport

/// Replaces the numbers of datasets in the bytes of an HDF5 file and leaves everything else alone.
///
/// Contiguous data are written over in place, so every other byte of the file stays. Chunked and
/// compressed data go through libhdf5, which may move them.
public struct HDF5Editor {
  /// The bytes of the file.
  public private(set) var bytes: [UInt8]

  /// Creates an editor of a whole file.
  public init(bytes: [UInt8]) { self.bytes = bytes }

  /// Replaces the elements of datasets of floating-point numbers.
  ///
  /// Numbers are rounded to the type in which a dataset is stored.
  ///
  /// - Parameter datasets: New elements by path, row-major, as many as each has.
  /// - Throws: ``DiagnosticError`` with the dataset named when it is not there, has another number of
  ///   elements, or cannot be written.
  public mutating func replace(_ datasets: [String: [Float]]) throws(DiagnosticError) {
    let file = try HDF5File(bytes: bytes)
    var others: [String: [Float]] = [:]
    for (path, values) in datasets.sorted(by: { $0.key < $1.key }) {
      let info = try file.info(ofDataset: path)
      let isBFloat16 = info.elementClass == .bfloat16
      var isFloat = isBFloat16
      if case .float = info.elementClass { isFloat = true }
      guard info.elementCount == values.count, isFloat else {
        throw DiagnosticError(
          .malformedHDF5, object: path,
          "has shape \(info.shape), so \(values.count) numbers do not fit")
      }
      let place = try file.placeOfContiguousData(path)
      if let place, place.offset + place.old.count <= bytes.count,
        Array(bytes[place.offset..<place.offset + place.old.count]) == place.old
      {
        let new = isBFloat16 ? Self.bfloat16(values) : try file.stored(values, as: path)
        bytes.replaceSubrange(place.offset..<place.offset + new.count, with: new)
      } else if isBFloat16 {
        throw DiagnosticError(
          .unsupportedHDF5, object: path,
          "holds bfloat16 in chunks, which libhdf5 cannot write")
      } else {
        others[path] = values
      }
    }
    if !others.isEmpty { bytes = try HDF5File.image(of: bytes, replacing: others) }
  }
}

extension HDF5Editor {
  /// The upper halves of numbers, rounded to nearest, ties to even.
  private static func bfloat16(_ values: [Float]) -> [UInt8] {
    values.flatMap { value -> [UInt8] in
      let bits = value.bitPattern
      let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
      return [UInt8(truncatingIfNeeded: rounded), UInt8(truncatingIfNeeded: rounded >> 8)]
    }
  }
}

extension HDF5File {
  /// Where the elements of a contiguous dataset are, with their bytes; `nil` for other layouts.
  fileprivate func placeOfContiguousData(
    _ path: String
  ) throws(DiagnosticError) -> (offset: Int, old: [UInt8])? {
    try HDF5Library.use { () throws(DiagnosticError) in
      let id = try open(path)
      defer { H5Oclose(id) }
      let properties = try HDF5Library.checked(
        H5Dget_create_plist(id), "has a layout that cannot be read", object: path)
      defer { H5Pclose(properties) }
      guard H5Pget_layout(properties) == H5D_CONTIGUOUS else { return nil }
      let offset = H5Dget_offset(id)
      let size = Int(clamping: H5Dget_storage_size(id))
      guard offset != haddr_t.max, offset < haddr_t(Int.max), size > 0 else { return nil }
      let type = try HDF5Library.checked(
        H5Dget_type(id), "has a type that cannot be read", object: path)
      defer { H5Tclose(type) }
      var old = [UInt8](repeating: 0, count: size)
      guard
        unsafe H5Dread(id, type, lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(), &old) >= 0
      else { throw HDF5Library.failure("cannot be read; the file is damaged", object: path) }
      return (Int(offset), old)
    }
  }

  /// Numbers as a dataset stores them.
  fileprivate func stored(
    _ values: [Float], as path: String
  ) throws(DiagnosticError) -> [UInt8] {
    try HDF5Library.use { () throws(DiagnosticError) in
      let id = try open(path)
      defer { H5Oclose(id) }
      let type = try HDF5Library.checked(
        H5Dget_type(id), "has a type that cannot be read", object: path)
      defer { H5Tclose(type) }
      let size = H5Tget_size(type)
      // Converted in place: the buffer has room for the larger of the two types.
      var buffer = [UInt8](repeating: 0, count: values.count * max(size, 4))
      unsafe buffer.withUnsafeMutableBytes { target in
        unsafe values.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
      }
      guard
        unsafe H5Tconvert(
          lp_h5_native_float(), type, values.count, &buffer, nil, lp_h5_default()) >= 0
      else { throw HDF5Library.failure("has a type that numbers cannot get", object: path) }
      return Array(buffer.prefix(values.count * size))
    }
  }

  /// The bytes of a file after libhdf5 wrote some datasets.
  ///
  /// It works on a file on disk: the images that libhdf5 1.10 makes of files of the newest format in
  /// memory have wrong checksums.
  fileprivate static func image(
    of bytes: [UInt8], replacing datasets: [String: [Float]]
  ) throws(DiagnosticError) -> [UInt8] {
    let copy = try TemporaryCopy(bytes)
    do {
      let file = try HDF5File(editing: copy.path)
      try HDF5Library.use { () throws(DiagnosticError) in
        for (path, values) in datasets.sorted(by: { $0.key < $1.key }) {
          let id = try file.open(path)
          defer { H5Oclose(id) }
          guard
            unsafe H5Dwrite(
              id, lp_h5_native_float(), lp_h5_all_space(), lp_h5_all_space(), lp_h5_default(),
              values) >= 0
          else { throw HDF5Library.failure("cannot be written", object: path) }
        }
        guard H5Fflush(file.identifier, H5F_SCOPE_GLOBAL) >= 0 else {
          throw HDF5Library.failure("cannot be written")
        }
      }
    }
    let edited = try ByteSource(path: copy.path)
    return try edited.bytes(in: 0..<edited.count)
  }
}
