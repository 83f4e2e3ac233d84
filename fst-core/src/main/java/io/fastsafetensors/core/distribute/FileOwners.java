package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/// The assignment of files to the ranks that read them. Immutable; the same on every rank.
///
/// Files are known by their locations as the headers have them, which differ from rank to rank; by number they are the
/// same.
public final class FileOwners {
    private final int[] owners;
    /// The number of each file, by its location on this rank.
    private final Map<Location, Integer> numbers = new HashMap<>();

    private FileOwners(List<FileHeader> headers) {
        owners = new int[headers.size()];
        for (int f = 0; f < owners.length; f++) {
            numbers.put(headers.get(f).location(), f);
        }
    }

    /// As the caller said.
    ///
    /// @param headers those of the files, rank after rank
    /// @param given the files of each rank
    public static FileOwners given(List<FileHeader> headers, Map<Integer, List<Location>> given) {
        FileOwners all = new FileOwners(headers);
        int next = 0;
        for (Map.Entry<Integer, List<Location>> rank : given.entrySet()) {
            for (int i = 0; i < rank.getValue().size(); i++) {
                all.owners[next++] = rank.getKey();
            }
        }
        return all;
    }

    /// The largest file first, each to the rank that has least to read; the lower number wins.
    ///
    /// Longest processing time first (Graham 1969): no rank reads more than four thirds of what the best assignment
    /// gives the busiest.
    public static FileOwners dealt(List<FileHeader> headers, Selection selection, int ranks) {
        FileOwners all = new FileOwners(headers);
        long[] bytes = new long[headers.size()];
        for (int f = 0; f < bytes.length; f++) {
            bytes[f] = headers.get(f).tensors().stream().filter(selection::test).mapToLong(TensorInfo::byteSize).sum();
        }
        long[] loads = new long[ranks];
        IntStream.range(0, bytes.length).boxed()
                .sorted(Comparator.<Integer>comparingLong(f -> -bytes[f]).thenComparing(f -> f)).forEach(f -> {
                    int least = 0;
                    for (int r = 1; r < ranks; r++) {
                        least = loads[r] < loads[least] ? r : least;
                    }
                    all.owners[f] = least;
                    loads[least] += bytes[f];
                });
        return all;
    }

    /// The number of a tensor's file.
    public int file(TensorInfo tensor) {
        return Objects.requireNonNull(numbers.get(tensor.file()), "a file of another checkpoint");
    }

    /// The rank that reads a tensor's file.
    public int owner(TensorInfo tensor) {
        return owners[file(tensor)];
    }

    /// How many files there are.
    public int files() {
        return owners.length;
    }
}
