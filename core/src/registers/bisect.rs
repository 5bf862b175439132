//! Bisection that says the same of values out of order, too.

/// The place of the first value that is not `before`, as halving finds it.
///
/// Rows of two readings may overlap, so that what is known is out of order there. `partition_point` promises nothing
/// then; an estimate shall be the same everywhere and always.
pub(super) fn bisect<T>(values: &[T], before: impl Fn(&T) -> bool) -> usize {
    let (mut low, mut high) = (0, values.len());
    while low < high {
        let middle = low.midpoint(high);
        if values.get(middle).is_some_and(&before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
