package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.types.Location;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Parses the name of a file of tensors or of an index: which model it belongs to, which variant and which shard it is.
/// Says nothing of what the file holds.
///
/// Names are those that writers in the wild give: `model-00001-of-00030.safetensors`, with underscores for hyphens,
/// variants before or after the number, indexes that name the variant in the middle or at the end, and
/// `shard-R-model-…` of PyTorch's distributed checkpoint.
///
/// @param location the file
/// @param stem the name without suffix, shard number and the variant that was asked for
/// @param isIndex whether it is an index
/// @param isVariantIndex whether it is an index with a variant in its name that was not asked for
/// @param number the shard's number, −1 if the name has none
/// @param count how many shards there are by the name, −1 if it does not say
/// @param rank which rank wrote the file, −1 if the name does not say: the files of PyTorch's distributed checkpoint do
record CheckpointName(Location location, String stem, boolean isIndex, boolean isVariantIndex, int number, int count,
        int rank) {
    static final String SUFFIX = ".safetensors";

    private static final Pattern INDEX =
            Pattern.compile("(.+)\\.safetensors((?:\\.[^.]+)?)\\.index((?:\\.[^.]+)?)\\.json");
    /// At most nine digits: what is longer is no count of files.
    private static final Pattern SHARD = Pattern.compile("(.*?)[-_.](\\d{1,9})[-_]of[-_](\\d{1,9})(.*)");
    private static final Pattern RANK = Pattern.compile("shard-(\\d{1,9})-(.+)");
    private static final String UNFINISHED = ".incomplete";

    /// The parsed name.
    ///
    /// @param variant the variant that is asked for
    /// @return null if a file of that name is no file of a checkpoint, or is of another variant
    static @Nullable CheckpointName parse(Location location, Optional<String> variant) {
        String name = location.name();
        if (name.startsWith(".") || name.contains(UNFINISHED + ".") || name.endsWith(UNFINISHED)) {
            return null;
        }
        Matcher index = INDEX.matcher(name);
        if (index.matches()) {
            String parts = index.group(1) + index.group(2) + index.group(3);
            String stem = variant.isEmpty() ? parts : without(parts, variant.get());
            boolean tagged = !index.group(2).isEmpty() || !index.group(3).isEmpty();
            return stem == null ? null
                    : new CheckpointName(location, stem, true, variant.isEmpty() && tagged, -1, -1, -1);
        }
        if (!name.endsWith(SUFFIX) || name.length() == SUFFIX.length()) {
            return null;
        }
        String base = name.substring(0, name.length() - SUFFIX.length());
        Matcher ranked = RANK.matcher(base);
        boolean ofRank = ranked.matches() && SHARD.matcher(ranked.group(2)).matches();
        Matcher shard = SHARD.matcher(ofRank ? ranked.group(2) : base);
        boolean numbered = shard.matches();
        String parts = numbered ? shard.group(1) + shard.group(4) : base;
        String stem = variant.isEmpty() ? parts : without(parts, variant.get());
        return stem == null ? null
                : new CheckpointName(location, stem, false, false, numbered ? Integer.parseInt(shard.group(2)) : -1,
                        numbered ? Integer.parseInt(shard.group(3)) : -1,
                        ofRank ? Integer.parseInt(ranked.group(1)) : -1);
    }

    /// The name without the variant, which is one of its parts but the first; null if it is not there.
    private static @Nullable String without(String parts, String variant) {
        String dotted = "." + variant;
        for (int at = parts.indexOf(dotted, 1); at > 0; at = parts.indexOf(dotted, at + 1)) {
            int end = at + dotted.length();
            if (end == parts.length() || parts.charAt(end) == '.') {
                return parts.substring(0, at) + parts.substring(end);
            }
        }
        return null;
    }

    String name() {
        return location.name();
    }

    /// What shards of one set have in common. Two sets of the same stem and another count are two checkpoints, one of
    /// them perhaps left over.
    String set() {
        return (rank < 0 ? "" : "shard-") + stem + '\0' + count;
    }

    /// The name of another shard of this one's set.
    String sibling(int other) {
        Matcher shard = SHARD.matcher(name());
        if (!shard.matches()) {
            throw new IllegalStateException(name() + " has no shard number");
        }
        String digits = Integer.toString(other);
        int width = shard.end(2) - shard.start(2);
        return name().substring(0, shard.start(2)) + "0".repeat(Math.max(0, width - digits.length())) + digits
                + name().substring(shard.end(2));
    }

    /// The name of a set for people.
    String setName() {
        if (number < 0) {
            return name();
        }
        Matcher shard = SHARD.matcher(name());
        return shard.matches() ? name().substring(0, shard.start(2)) + "*" + name().substring(shard.end(2)) : name();
    }

    /// The numbers in a stem, and what stands between them. For files that are numbered in a way of their own, such as
    /// `layer.7.weights`.
    ///
    /// @param text the stem with `#` for each number
    /// @param values the numbers
    record Numbers(String text, List<Long> values) {
        private static final Pattern DIGITS = Pattern.compile("\\d{1,18}");

        static Numbers of(String stem) {
            return new Numbers(DIGITS.matcher(stem).replaceAll("#"),
                    DIGITS.matcher(stem).results().map(match -> Long.valueOf(match.group())).toList());
        }

        /// The place of the only number that differs from the other's, −1 if none or more than one does.
        int difference(Numbers other) {
            if (!text.equals(other.text)) {
                return -1;
            }
            int place = -1;
            for (int i = 0; i < values.size(); i++) {
                if (!values.get(i).equals(other.values.get(i))) {
                    if (place >= 0) {
                        return -1;
                    }
                    place = i;
                }
            }
            return place;
        }
    }
}
