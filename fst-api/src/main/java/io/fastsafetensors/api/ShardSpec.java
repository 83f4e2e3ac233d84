package io.fastsafetensors.api;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/// Selects the tensors that are partitioned over the ranks of a group, and the dimension: globs over names (as in
/// [Selection#glob(String...)]) with a dimension each. The first that matches counts; a tensor that none matches, or one
/// with the dimension −1, is whole on every rank. Immutable.
///
/// A cut knows nothing of what a tensor means: it takes rows or columns `[r × ceil(size / ranks), …)`. Of a tensor that
/// fuses several matrices that is rarely what a model wants; see docs/ranks.md.
///
/// ```java
/// ShardSpec.of(Map.of("*.q_proj.weight", 0, "*.o_proj.weight", 1));
/// ShardSpec.of("llama");
/// ```
public final class ShardSpec {
    private final List<Rule> rules;
    private final List<Pattern> patterns;

    /// A line of the specification.
    ///
    /// @param pattern a glob over tensor names
    /// @param dim the dimension that is cut, from 0; −1 for none
    public record Rule(String pattern, int dim) {
        /// @throws IllegalArgumentException if the dimension is below −1
        public Rule {
            Objects.requireNonNull(pattern, "pattern");
            if (dim < -1) {
                throw new IllegalArgumentException("dimension " + dim + "; expected −1 (whole) or more");
            }
        }
    }

    private ShardSpec(List<Rule> rules) {
        this.rules = List.copyOf(rules);
        this.patterns = this.rules.stream().map(rule -> Globs.toPattern(rule.pattern)).toList();
    }

    /// A specification of these rules, in this order.
    ///
    /// @throws IllegalArgumentException if a pattern is no glob
    public static ShardSpec of(List<Rule> rules) {
        Objects.requireNonNull(rules, "rules");
        return new ShardSpec(rules);
    }

    /// A specification of these patterns and dimensions, in the map's order.
    ///
    /// @throws IllegalArgumentException if a pattern is no glob, or a dimension is below −1
    public static ShardSpec of(Map<String, Integer> dims) {
        Objects.requireNonNull(dims, "dims");
        List<Rule> rules = new ArrayList<>();
        dims.forEach((pattern, dim) -> rules.add(new Rule(pattern, dim)));
        return new ShardSpec(rules);
    }

    /// The usual tensor-parallel cuts of a name scheme: `llama` (Mistral, Qwen2 and others use the same names),
    /// `gpt2`, `falcon`, `bloom` or `mixtral`. What each cuts is in docs/ranks.md.
    ///
    /// @throws io.fastsafetensors.error.ConfigException if there is none of that name; it lists those there are
    public static ShardSpec of(String scheme) {
        Objects.requireNonNull(scheme, "scheme");
        return LoaderProvider.instance().shardSpec(scheme);
    }

    /// Reads a JSON object of patterns and dimensions, such as `{"*.o_proj.weight": 1, "*norm*": -1}`. Its order counts.
    ///
    /// @throws io.fastsafetensors.error.ConfigException naming line and column of what is wrong
    public static ShardSpec read(Path file) {
        Objects.requireNonNull(file, "file");
        return LoaderProvider.instance().shardSpec(file);
    }

    /// The rules, in order.
    public List<Rule> rules() {
        return rules;
    }

    /// The dimension that a tensor is cut along, −1 if it is whole.
    public int dim(String tensor) {
        Objects.requireNonNull(tensor, "tensor");
        for (int i = 0; i < patterns.size(); i++) {
            if (patterns.get(i).matcher(tensor).matches()) {
                return rules.get(i).dim;
            }
        }
        return -1;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ShardSpec spec && rules.equals(spec.rules);
    }

    @Override
    public int hashCode() {
        return rules.hashCode();
    }

    /// The rules.
    @Override
    public String toString() {
        return rules.toString();
    }
}
