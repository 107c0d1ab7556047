internal import CHDF5
public import Diagnostics

extension HDF5File {
  /// The text of a string attribute, of fixed or variable length; `nil` when there is none.
  ///
  /// - Parameters:
  ///   - name: The attribute.
  ///   - path: The group or dataset that has it.
  /// - Returns: The text.
  /// - Throws: ``DiagnosticError`` when it is not one string of UTF-8.
  public func string(
    ofAttribute name: String, at path: String
  ) throws(DiagnosticError) -> String? {
    guard let strings = try strings(ofPlainAttribute: name, at: path) else { return nil }
    guard strings.count == 1 else {
      throw DiagnosticError(
        .malformedHDF5, object: path,
        "attribute '\(name)': expected one string, found \(strings.count)")
    }
    return strings[0]
  }

  /// The texts of an attribute that is a list of strings; `nil` when there is none.
  ///
  /// Keras splits lists over 64 KB into `name0`, `name1`, …, and writes an empty list as an empty
  /// array of float64.
  ///
  /// - Parameters:
  ///   - name: The attribute.
  ///   - path: The group that has it.
  /// - Returns: The texts in order.
  /// - Throws: ``DiagnosticError`` when it is not a list of strings of UTF-8.
  public func strings(
    ofAttribute name: String, at path: String
  ) throws(DiagnosticError) -> [String]? {
    if let strings = try strings(ofPlainAttribute: name, at: path) { return strings }
    var all: [String]?
    var index = 0
    while index < Limit.members,
      let part = try strings(ofPlainAttribute: "\(name)\(index)", at: path)
    {
      all = (all ?? []) + part
      index += 1
    }
    return all
  }

  private func strings(
    ofPlainAttribute name: String, at path: String
  ) throws(DiagnosticError) -> [String]? {
    try HDF5Library.use { () throws(DiagnosticError) in
      let object = try open(path)
      defer { H5Oclose(object) }
      guard unsafe H5Aexists(object, name) > 0 else {
        H5Eclear2(lp_h5_default_stack())
        return nil
      }
      let what = "attribute '\(name)' cannot be read"
      let attribute = try HDF5Library.checked(
        unsafe H5Aopen(object, name, lp_h5_default()), what, object: path)
      defer { H5Aclose(attribute) }
      let count = try elementCount(attribute, what: what, path: path)
      if count == 0 { return [] }
      let type = try HDF5Library.checked(H5Aget_type(attribute), what, object: path)
      defer { H5Tclose(type) }
      guard H5Tget_class(type) == H5T_STRING else {
        throw DiagnosticError(
          .malformedHDF5, object: path, "attribute '\(name)': expected strings, found another type")
      }
      let texts =
        H5Tis_variable_str(type) > 0
        ? try variableStrings(attribute, type: type, count: count, what: what, path: path)
        : try fixedStrings(attribute, type: type, count: count, what: what, path: path)
      return try texts.map { (bytes) throws(DiagnosticError) in
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw DiagnosticError(
            .malformedHDF5, object: path, "attribute '\(name)' is not UTF-8")
        }
        return text
      }
    }
  }

  private func elementCount(
    _ attribute: hid_t, what: String, path: String
  ) throws(DiagnosticError) -> Int {
    let space = try HDF5Library.checked(H5Aget_space(attribute), what, object: path)
    defer { H5Sclose(space) }
    let count = H5Sget_simple_extent_npoints(space)
    guard count >= 0 else { throw HDF5Library.failure(what, object: path) }
    guard count <= Limit.members else {
      throw DiagnosticError(
        .limitExceeded, object: path,
        "an attribute has \(count) elements, above the limit of \(Limit.members)")
    }
    return Int(count)
  }

  private func fixedStrings(
    _ attribute: hid_t, type: hid_t, count: Int, what: String, path: String
  ) throws(DiagnosticError) -> [[UInt8]] {
    let size = H5Tget_size(type)
    let total = try checkedProduct(
      [count, size], limit: Limit.attributeBytes, of: "an attribute of \(path)")
    var buffer = [UInt8](repeating: 0, count: total)
    guard unsafe H5Aread(attribute, type, &buffer) >= 0 else {
      throw HDF5Library.failure(what, object: path)
    }
    let pad: UInt8 = H5Tget_strpad(type) == H5T_STR_SPACEPAD ? 0x20 : 0
    return (0..<count).map { index in
      let bytes = buffer[index * size..<(index + 1) * size]
      let text = bytes.prefix { $0 != 0 }
      guard pad == 0x20 else { return Array(text) }
      return Array(text.reversed().drop { $0 == 0x20 }.reversed())
    }
  }

  private func variableStrings(
    _ attribute: hid_t, type: hid_t, count: Int, what: String, path: String
  ) throws(DiagnosticError) -> [[UInt8]] {
    let memoryType = try HDF5Library.checked(H5Tcopy(lp_h5_c_s1()), what, object: path)
    defer { H5Tclose(memoryType) }
    guard H5Tset_size(memoryType, lp_h5_variable()) >= 0,
      H5Tset_cset(memoryType, H5Tget_cset(type)) >= 0
    else { throw HDF5Library.failure(what, object: path) }
    var pointers = unsafe [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
    guard unsafe H5Aread(attribute, memoryType, &pointers) >= 0 else {
      throw HDF5Library.failure(what, object: path)
    }
    // libhdf5 allocated each text; it frees them all, on success and on error.
    defer {
      if let space = try? HDF5Library.checked(H5Aget_space(attribute), what, object: path) {
        _ = unsafe H5Dvlen_reclaim(memoryType, space, lp_h5_default(), &pointers)
        H5Sclose(space)
      }
    }
    return unsafe pointers.map { pointer in
      guard let pointer = unsafe pointer else { return [] }
      return unsafe Array(String(cString: pointer).utf8)
    }
  }
}
