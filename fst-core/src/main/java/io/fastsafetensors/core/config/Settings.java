package io.fastsafetensors.core.config;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.core.config.ConfigValue.Member;
import io.fastsafetensors.core.header.SimilarNames;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.types.DType;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;

/// fst's own keys: each the name of a method of [LoaderBuilder] or of an option that it takes, and what its value does.
///
/// The same list serves files, properties (`fst.KEY`) and variables (`FST_KEY`), so that an option is configurable
/// everywhere or nowhere. Values of grouped options (of opening, of streams) are added to what others have set, so that
/// keys may come in any order.
final class Settings {
    /// For editors; says which schema the file follows.
    static final String SCHEMA = "$schema";

    /// Readers; more than any machine has use for, and few enough to be no mistake.
    private static final int MOST_READERS = 1024;
    /// Bytes of a block.
    private static final int MOST_BLOCK = 1 << 30;
    /// In the order in which messages and the documentation list them.
    private static final Map<String, BiConsumer<LoaderBuilder, ConfigValue>> KEYS = new LinkedHashMap<>();

    static {
        KEYS.put("device", (builder, value) -> builder.device(value.text()));
        KEYS.put("backend", (builder, value) -> builder.backend(value.text()));
        KEYS.put("backendProperties", (builder, value) -> value.pairs().forEach(builder::backendProperty));
        KEYS.put("strictBackend", (builder, value) -> builder.strictBackend(value.flag()));
        KEYS.put("dtype", (builder, value) -> builder.dtype(dtype(value)));
        KEYS.put("select",
                (builder, value) -> builder.select(Selection.glob(value.texts().toArray(new String[0]))));
        KEYS.put("dequantize", (builder, value) -> builder.dequantize(dtype(value)));
        KEYS.put("keep",
                (builder, value) -> builder.keep(Selection.glob(value.texts().toArray(new String[0]))));
        KEYS.put("countOverflows", (builder, value) -> builder.countOverflows(value.flag()));
        KEYS.put("findDigests",
                (builder, value) -> builder.digests(builder.options().digests().withFind(value.flag())));
        KEYS.put("alignment", (builder, value) -> builder.alignment(value.size()));
        KEYS.put("readers", (builder, value) -> builder.readers(value.integer(0, MOST_READERS)));
        KEYS.put("blockBytes", (builder, value) -> builder.blockBytes(value.size(MOST_BLOCK)));
        KEYS.put("directIo", (builder, value) -> builder.directIo(value.oneOf(DirectIo.values())));
        KEYS.put("transferPath", (builder, value) -> builder.transferPath(value.oneOf(TransferPath.values())));
        KEYS.put("numaPinning", (builder, value) -> builder.numaPinning(value.flag()));
        KEYS.put("deviceBudget", (builder, value) -> builder.deviceBudget(value.size()));
        KEYS.put("hostBudget", (builder, value) -> builder.hostBudget(value.size()));
        KEYS.put("distribution", (builder, value) -> builder.distribution(value.oneOf(Distribution.values())));
        KEYS.put("lenient",
                (builder, value) -> builder.open(builder.options().open().withLenient(value.flag())));
        KEYS.put("strict", (builder, value) -> builder.open(builder.options().open().withStrict(value.flag())));
        KEYS.put("onlyIndexed",
                (builder, value) -> builder.open(builder.options().open().withOnlyIndexed(value.flag())));
        KEYS.put("variant", (builder, value) -> builder.open(builder.options().open().withVariant(value.text())));
        KEYS.put("storageProperties", (builder, value) -> value.pairs().forEach(builder::storageProperty));
        KEYS.put("checkDigests", (builder, value) -> builder.checkDigests(value.flag()));
        KEYS.put("leakDetection", (builder, value) -> builder.leakDetection(value.oneOf(LeakDetection.values())));
        KEYS.put("batchesAhead", (builder, value) -> builder
                .stream(new StreamOptions(value.integer(-1, StreamOptions.MOST_AHEAD),
                        builder.options().stream().owned())));
        KEYS.put("ownedTensors", (builder, value) -> builder
                .stream(new StreamOptions(builder.options().stream().batchesAhead(), value.flag())));
    }

    private Settings() {
    }

    /// Every key.
    static Set<String> keys() {
        return KEYS.keySet();
    }

    /// Applies a file's object.
    ///
    /// @throws ConfigException at the first key that is unknown, or whose value is none
    static void applyAll(LoaderBuilder builder, ConfigValue file) {
        file.section().forEach((key, member) -> {
            if (KEYS.containsKey(key)) {
                apply(builder, key, member.value());
            } else if (!key.equals(SCHEMA)) {
                throw unknown(key, member, KEYS.keySet());
            }
        });
    }

    /// Applies one key.
    ///
    /// @throws ConfigException if the value is none for it
    static void apply(LoaderBuilder builder, String key, ConfigValue value) {
        try {
            Objects.requireNonNull(KEYS.get(key), key).accept(builder, value);
        } catch (IllegalArgumentException e) {
            throw value.place().error(String.valueOf(e.getMessage()));
        }
    }

    /// A misspelled key would be silently without effect, so it is an error with the nearest one in it.
    static ConfigException unknown(String key, Member member, Collection<String> known) {
        String hint = SimilarNames.hint(key, known);
        return member.place().error("unknown key \"" + key + "\""
                + (hint.isEmpty() ? "; known are " + String.join(", ", known) : hint));
    }

    /// @throws IllegalArgumentException if there is none of that name; told with the place of the value
    private static DType dtype(ConfigValue value) {
        return DType.parse(value.text()).orElseThrow(() -> new IllegalArgumentException(
                "no dtype \"" + value.text() + "\"; such as BF16 or F8_E4M3"));
    }
}
