import Foundation

/// The natural logarithm.
func logarithm(_ x: Double) -> Double { Foundation.log(x) }

/// exp(x).
func exponential(_ x: Double) -> Double { Foundation.exp(x) }

/// xⁿ.
func power(_ x: Double, _ n: Int) -> Double { Foundation.pow(x, Double(n)) }
