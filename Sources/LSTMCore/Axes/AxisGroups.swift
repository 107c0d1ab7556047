/// The axes that occur in a graph, and which of them count the same thing.
///
/// An atom is an axis as it came into being: of an input, or made by an operation. What counts the
/// same (a sequence and a part of it, the sequences of an input and of a start state) is one group.
/// Groups gather evidence for roles.
struct AxisGroups {
  /// How much a piece of evidence weighs; what weighs less does not count beside what weighs more.
  enum Weight: Int {
    /// The layout of an operation that may be used for something else, such as a convolution's batch.
    case weak = 1
    /// The layout of an LSTM.
    case layout
    /// What the user says.
    case declared
  }

  struct Atom {
    fileprivate(set) var group: Int
    let size: Int?
    /// Whether it is a part of another one, or another length of it.
    let isPart: Bool
  }

  private struct Group {
    var parent: Int
    var evidence: [AxisRole: Int] = [:]
    var denied: Set<AxisRole> = []
    var isMixed = false
  }

  private var atoms: [Atom] = []
  private var groups: [Group] = []

  /// A new axis that counts something of its own.
  mutating func atom(size: Int?) -> Int {
    groups.append(Group(parent: groups.count))
    atoms.append(Atom(group: groups.count - 1, size: size, isPart: false))
    return atoms.count - 1
  }

  /// A new axis that counts what another one counts: a part of it, say.
  mutating func atom(like other: Int, size: Int?) -> Int {
    atoms.append(Atom(group: atoms[other].group, size: size, isPart: true))
    return atoms.count - 1
  }

  func size(of atom: Int) -> Int? { atoms[atom].size }

  /// Whether an axis has one element as it came into being; not as one that is left of several.
  func isWholeOne(_ atom: Int) -> Bool { atoms[atom].size == 1 && !atoms[atom].isPart }

  /// The size of several axes folded into one; `nil` when one is open, or beyond an integer.
  func size(of list: [Int]) -> Int? {
    var product = 1
    for atom in list {
      guard let size = atoms[atom].size else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      guard !overflow else { return nil }
      product = next
    }
    return product
  }

  /// The group of an atom.
  func group(of atom: Int) -> Int { root(atoms[atom].group) }

  private func root(_ group: Int) -> Int {
    var group = group
    while groups[group].parent != group { group = groups[group].parent }
    return group
  }

  /// Notes that two atoms count the same.
  mutating func unite(_ a: Int, _ b: Int) {
    let (kept, gone) = (group(of: a), group(of: b))
    guard kept != gone else { return }
    // The older one is kept, so chains stay short in graphs whose values come one after the other.
    let (first, second) = (min(kept, gone), max(kept, gone))
    groups[second].parent = first
    groups[first].evidence.merge(groups[second].evidence) { max($0, $1) }
    groups[first].denied.formUnion(groups[second].denied)
    groups[first].isMixed = groups[first].isMixed || groups[second].isMixed
    atoms[a].group = first
    atoms[b].group = first
  }

  /// Notes that axes count the same, where both are whole.
  mutating func unite(_ a: [Int], _ b: [Int]) {
    guard a.count == b.count else { return }
    for (a, b) in zip(a, b) { unite(a, b) }
  }

  /// Notes what an axis counts; of several axes in one, each may.
  mutating func note(_ role: AxisRole, _ axis: [Int], _ weight: Weight = .layout) {
    // Features of several axes in one are what remains of them.
    if axis.count > 1, role == .features, weight != .declared { return }
    for atom in axis {
      // One element that is left of an axis says nothing of the axis.
      if role == .batch, weight != .declared, atoms[atom].isPart, atoms[atom].size == 1 { continue }
      let value = axis.count > 1 ? min(weight.rawValue, Weight.weak.rawValue) : weight.rawValue
      groups[group(of: atom)].evidence[role] = max(
        groups[group(of: atom)].evidence[role] ?? 0, value)
    }
  }

  /// Notes what an axis does not count.
  mutating func deny(_ role: AxisRole, _ axis: [Int]) {
    for atom in axis { groups[group(of: atom)].denied.insert(role) }
  }

  /// Notes that elements along an axis do not stay apart.
  mutating func mix(_ axis: [Int]) {
    for atom in axis { groups[group(of: atom)].isMixed = true }
  }

  /// Whether elements along an axis are mixed somewhere.
  func isMixed(_ axis: [Int]) -> Bool { axis.contains { groups[group(of: $0)].isMixed } }

  /// The roles that weigh most for an atom: none, one, or several that contradict each other.
  func roles(of atom: Int) -> [AxisRole] {
    let group = groups[group(of: atom)]
    let evidence = group.evidence.filter {
      $0.value == Weight.declared.rawValue || !group.denied.contains($0.key)
    }
    let weight = evidence.values.max()
    return AxisRole.allCases.filter { evidence[$0] != nil && evidence[$0] == weight }
  }

  /// Of several axes in one, those that count: one element is none of them, unless it is the batch.
  func counting(_ axis: [Int]) -> [Int] {
    guard axis.count > 1 else { return axis }
    let rest = axis.filter { size(of: $0) != 1 || roles(of: $0) == [.batch] }
    return rest.isEmpty ? axis : rest
  }

  /// An axis with its roles.
  func axis(_ atoms: [Int]) -> ValueAxis {
    let roles = atoms.map { self.roles(of: $0) }
    return ValueAxis(
      roles: roles.map { $0.count == 1 ? $0[0] : nil },
      size: atoms.isEmpty ? 1 : size(of: atoms), conflict: roles.first { $0.count > 1 } ?? [])
  }
}
