package io.fastsafetensors.types;

/// A selection along one dimension: everything, one index (the dimension goes away), or a range with a step.
///
/// Negative indices count from the end, as in Python. Bounds outside the dimension are an error, not clipped,
/// as in the reference implementation. A negative step walks backwards from `start` (default: the last element) to
/// just before `stop` (default: the first element included).
///
/// ```java
/// tensor.slice(Slice.at(0));                                  // tensor[0]
/// tensor.slice(Slice.all(), Slice.range(2, -1));              // tensor[:, 2:-1]
/// tensor.slice(Slice.every(-2));                              // tensor[::-2]
/// ```
public sealed interface Slice permits Slice.All, Slice.At, Slice.Range {
    /// The whole dimension.
    record All() implements Slice {
    }

    /// One index; the dimension is dropped from the result's shape.
    ///
    /// @param index from 0, or from −1 at the end
    record At(long index) implements Slice {
    }

    /// A range.
    ///
    /// @param start the first index, [#OPEN] for the natural end
    /// @param stop the index to stop before, [#OPEN] for the natural end
    /// @param step not 0
    record Range(long start, long stop, long step) implements Slice {
        /// @throws IllegalArgumentException if the step is 0
        public Range {
            if (step == 0) {
                throw new IllegalArgumentException("a slice's step is not 0");
            }
        }
    }

    /// Stands for a bound that was left out.
    long OPEN = Long.MIN_VALUE;

    /// `:`
    static Slice all() {
        return new All();
    }

    /// `index`
    static Slice at(long index) {
        return new At(index);
    }

    /// `start:stop`
    static Slice range(long start, long stop) {
        return new Range(start, stop, 1);
    }

    /// `start:stop:step`
    static Slice range(long start, long stop, long step) {
        return new Range(start, stop, step);
    }

    /// `start:`
    static Slice from(long start) {
        return new Range(start, OPEN, 1);
    }

    /// `:stop`
    static Slice to(long stop) {
        return new Range(OPEN, stop, 1);
    }

    /// `::step`
    static Slice every(long step) {
        return new Range(OPEN, OPEN, step);
    }
}
