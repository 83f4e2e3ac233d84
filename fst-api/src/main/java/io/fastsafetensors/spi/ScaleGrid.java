package io.fastsafetensors.spi;

/// Finds the scale of each element of a quantised tensor: elements are rows of `columns`, rows make matrices of
/// `rows`, and all elements of a block of `blockRows` × `blockColumns` of one matrix share a scale. Blocks at the ends of
/// rows and matrices may be smaller. Immutable.
///
/// @param columns elements of a row, at least 1
/// @param rows rows of a matrix, at least 1
/// @param blockRows rows of a block, 1 to `rows`
/// @param blockColumns columns of a block, 1 to `columns`
/// @param rowStride scales between those of a row of blocks and those of the next one
/// @param matrixStride scales between those of a matrix and those of the next one; 0 if all have the same ones
public record ScaleGrid(long columns, long rows, long blockRows, long blockColumns, long rowStride,
        long matrixStride) {
    /// @throws IllegalArgumentException if a number is out of its range
    public ScaleGrid {
        if (columns < 1 || rows < 1 || blockRows < 1 || blockRows > rows || blockColumns < 1 || blockColumns > columns
                || rowStride < 0 || matrixStride < 0) {
            throw new IllegalArgumentException("blocks of " + blockRows + " × " + blockColumns + " in matrices of "
                    + rows + " × " + columns + " with strides " + rowStride + " and " + matrixStride);
        }
    }

    /// One scale for each row's run of `blockColumns` elements, rows after one another.
    public static ScaleGrid ofRuns(long columns, long blockColumns) {
        return new ScaleGrid(columns, 1, 1, blockColumns, 0, Math.ceilDiv(columns, blockColumns));
    }

    /// One scale for all elements.
    public static ScaleGrid single() {
        return new ScaleGrid(Integer.MAX_VALUE, 1, 1, Integer.MAX_VALUE, 0, 0);
    }

    /// The index of an element's scale.
    ///
    /// @param element its index in the tensor
    public long scaleOf(long element) {
        long row = element / columns;
        return row / rows * matrixStride + row % rows / blockRows * rowStride + element % columns / blockColumns;
    }

    /// How many elements from this one on have its scale and follow one another.
    public long run(long element) {
        long column = element % columns;
        return Math.min(blockColumns - column % blockColumns, columns - column);
    }

    /// The lowest index of a scale of some consecutive elements.
    ///
    /// @param first the index of the first element
    /// @param count how many, at least 1
    public long lowestScale(long first, long count) {
        return first / columns == (first + count - 1) / columns ? scaleOf(first)
                : matrixStride == 0 && first / columns / rows != (first + count - 1) / columns / rows ? 0
                        : scaleOf(first / columns * columns);
    }

    /// The highest one, likewise.
    public long highestScale(long first, long count) {
        long last = first + count - 1;
        if (first / columns == last / columns) {
            return scaleOf(last);
        }
        boolean around = matrixStride == 0 && first / columns / rows != last / columns / rows;
        long lastRow = around ? rows - 1 : last / columns;
        return scaleOf(lastRow * columns + columns - 1);
    }
}
