package io.fastsafetensors.api;

import io.fastsafetensors.types.TensorInfo;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;

/// Selects the tensors to load. The bytes of the others are not read, except for gaps of up to 64 KiB between two
/// selected tensors: reading over such a gap costs less than a second read. [LoadPlan#bytesToRead()] includes the gaps,
/// [LoadPlan.FilePlan#ranges()] shows the neighbours' bytes in them, [LoadStats#bytesRead()] counts what was read.
///
/// ```java
/// Selection attention = Selection.glob("*.self_attn.*");
/// Selection small = tensor -> tensor.byteSize() < 1 << 20;
/// Weights weights = loader.load(path, attention.and(small));
/// ```
@FunctionalInterface
public interface Selection {
    /// Whether to load this tensor. Pure: the same answer every time, on every rank.
    boolean test(TensorInfo tensor);

    /// Every tensor.
    static Selection all() {
        return tensor -> true;
    }

    /// No tensor.
    static Selection none() {
        return tensor -> false;
    }

    /// The tensors of these names.
    static Selection names(String... names) {
        Objects.requireNonNull(names, "names");
        Set<String> wanted = Set.of(names);
        return tensor -> wanted.contains(tensor.name());
    }

    /// The tensors whose name matches one of the globs: `*` any characters, `?` one, `[a-c]` a class, `{a,b}` either.
    static Selection glob(String... globs) {
        Objects.requireNonNull(globs, "globs");
        List<Pattern> patterns = List.of(globs).stream().map(Globs::toPattern).toList();
        return tensor -> patterns.stream().anyMatch(p -> p.matcher(tensor.name()).matches());
    }

    /// The tensors whose whole name matches the regular expression.
    static Selection regex(String regex) {
        Objects.requireNonNull(regex, "regex");
        Pattern pattern = Pattern.compile(regex);
        return tensor -> pattern.matcher(tensor.name()).matches();
    }

    /// Expert parallelism: everything but the experts of other ranks. A name with `.experts.N.` belongs to rank
    /// `N / ceil(experts / ranks)`.
    ///
    /// @param experts how many experts a layer has
    /// @param rank this rank
    /// @param ranks how many ranks share them
    static Selection experts(int experts, int rank, int ranks) {
        int each = Math.ceilDiv(experts, ranks);
        Pattern expert = Pattern.compile(".*\\.experts\\.(\\d+)\\..*");
        return tensor -> {
            var match = expert.matcher(tensor.name());
            return !match.matches() || Integer.parseInt(match.group(1)) / each == rank;
        };
    }

    /// Selects the tensors that both select.
    default Selection and(Selection other) {
        Objects.requireNonNull(other, "other");
        return tensor -> test(tensor) && other.test(tensor);
    }

    /// Selects the tensors that either selects.
    default Selection or(Selection other) {
        Objects.requireNonNull(other, "other");
        return tensor -> test(tensor) || other.test(tensor);
    }

    /// Selects the tensors that this does not select.
    default Selection negate() {
        return tensor -> !test(tensor);
    }
}
