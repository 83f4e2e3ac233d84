package io.fastsafetensors.core.config;

import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.core.config.ConfigValue.Member;
import io.fastsafetensors.error.ConfigException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;

/// The keys of `fastsafetensors.json`, as the Python package of that name reads it, with the same meaning here. Its
/// defaults count for what the file leaves out. Keys that steer what fst does not have (a Python framework, a progress
/// bar on the console) are known and change nothing.
///
/// A key that is unknown is an error and never passed over, because the file would not mean here what it means there.
final class FastsafetensorsConfig {
    /// The loader that the Python package uses where none is named, and its section.
    private static final String BASE = "base";
    /// A section of a loader for a file system that fst reaches as any other; known and passed over.
    private static final String THREE_FS = "3fs";
    private static final int MOST = Integer.MAX_VALUE;
    /// `bbuf_size_kb` and `max_batch_bytes` beyond this would overflow.
    private static final int MOST_KIB = 1 << 20;

    /// Keys that stand at the top or in the section named.
    private static final Map<String, Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>>> GROUPS =
            new LinkedHashMap<>();
    private static final Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> TOP = new LinkedHashMap<>();
    private static final Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> BASE_KEYS = new LinkedHashMap<>();

    static {
        TOP.put("loader", (config, value) -> config.loader = value.text());
        TOP.put("framework", (config, value) -> value.oneOf(Framework.values()));
        BASE_KEYS.put("copier_type", (config, value) -> config.copier = value.oneOf(Copier.values()));
        BASE_KEYS.put("bbuf_size_kb", (config, value) -> config.slotKib = value.integer(1, MOST_KIB));
        BASE_KEYS.put("max_threads", (config, value) -> config.threads = value.integer(1, MOST));
        Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> parallel = new LinkedHashMap<>();
        parallel.put("use_pipeline", (config, value) -> config.pipeline = value.flag());
        parallel.put("max_concurrent_producers", (config, value) -> value.integer(1, 1));
        parallel.put("queue_size", (config, value) -> config.queue = value.integer(-1, StreamOptions.MOST_AHEAD));
        parallel.put("use_tqdm_on_load", (config, value) -> value.flag());
        parallel.put("max_batch_bytes", (config, value) -> config.batchBytes = config.bytes(value));
        parallel.put("use_chunk_budget_as_allocation_size", (config, value) -> config.fixedBatches = flagAt(value));
        parallel.put("device_memory_budget", (config, value) -> config.deviceBytes = config.bytes(value));
        Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> debug = new LinkedHashMap<>();
        debug.put("debug_log", (config, value) -> value.flag());
        debug.put("set_numa", (config, value) -> config.numa = value.flag());
        debug.put("disable_cache", (config, value) -> value.flag());
        GROUPS.put("parallel", parallel);
        GROUPS.put("debug", debug);
        GROUPS.values().forEach(TOP::putAll);
    }

    /// Read for its errors alone.
    private enum Framework {
        PYTORCH, PADDLE
    }

    /// The ways to the device that the Python package names. Direct storage of either kind falls back to slots there as
    /// here, and memory that host and device share is read into directly: the automatic choice does all of that.
    private enum Copier {
        GDS, FGDS, NOGDS, UNIFIED
    }

    private String loader = BASE;
    private Copier copier = Copier.GDS;
    /// KiB, as the key has it.
    private int slotKib = 16 * 1024;
    private int threads = 16;
    private boolean pipeline;
    /// Batches ahead, −1 for none.
    private int queue;
    /// Bytes of a batch, [Long#MAX_VALUE] without a limit.
    private long batchBytes = Long.MAX_VALUE;
    /// Bytes of all batches that are alive, [Long#MAX_VALUE] without a limit.
    private long deviceBytes = Long.MAX_VALUE;
    private boolean numa = true;
    private ConfigValue fixedBatches = ConfigValue.ofText("false", new ConfigValue.Place.Outside("default"));
    /// Keys of the section of another loader than `base`: properties of the backend of its name.
    private Map<String, Member> ownSection = Map.of();

    private FastsafetensorsConfig() {
    }

    /// Whether a file has more of these keys than of fst's own.
    static boolean isMeantBy(ConfigValue file, boolean unlessOwn) {
        Set<String> found = file.section().keySet();
        long theirs = found.stream().filter(FastsafetensorsConfig::isKnown).count();
        long own = found.stream().filter(Settings.keys()::contains).count();
        return theirs == own ? unlessOwn : theirs > own;
    }

    /// Whether the Python package has a meaning for a key at the top.
    private static boolean isKnown(String key) {
        return TOP.containsKey(key) || GROUPS.containsKey(key) || key.equals(BASE) || key.equals(THREE_FS);
    }

    /// Every key that has a meaning at the top, in `parallel`, in `debug` or in `base`.
    static List<String> keys() {
        List<String> keys = new ArrayList<>(TOP.keySet());
        keys.addAll(GROUPS.keySet());
        keys.add(BASE);
        keys.add(THREE_FS);
        keys.addAll(BASE_KEYS.keySet());
        return keys;
    }

    /// Reads a file's object.
    ///
    /// @throws ConfigException at the first key that is unknown, or whose value is none
    static FastsafetensorsConfig read(ConfigValue file) {
        FastsafetensorsConfig config = new FastsafetensorsConfig();
        Map<String, Member> members = file.section();
        members.forEach((key, member) -> {
            Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> group = GROUPS.get(key);
            if (group != null) {
                config.readSection(member.value().section(), group);
            } else if (TOP.containsKey(key)) {
                Objects.requireNonNull(TOP.get(key)).accept(config, member.value());
            } else if (!key.equals(BASE) && !key.equals(THREE_FS) && !key.equals(name(members))) {
                throw Settings.unknown(key, member, keys());
            }
        });
        Member section = members.get(config.loader);
        if (config.loader.equals(BASE)) {
            config.readBase(section == null ? Map.of() : section.value().section());
        } else if (section != null) {
            config.ownSection = section.value().section();
        }
        config.checkBatches();
        return config;
    }

    /// The loader that is named, of which a section may have the name.
    private static String name(Map<String, Member> members) {
        Member loader = members.get("loader");
        return loader == null ? BASE : loader.value().text();
    }

    /// @param known the keys of that section and what their values do
    private void readSection(Map<String, Member> section,
            Map<String, BiConsumer<FastsafetensorsConfig, ConfigValue>> known) {
        section.forEach((key, member) -> {
            BiConsumer<FastsafetensorsConfig, ConfigValue> setting = known.get(key);
            if (setting == null) {
                throw Settings.unknown(key, member, known.keySet());
            }
            setting.accept(this, member.value());
        });
    }

    /// Keys of the debug group may stand in a loader's section too, and are passed over there.
    private void readBase(Map<String, Member> base) {
        Map<String, Member> own = new LinkedHashMap<>(base);
        own.keySet().removeIf(Objects.requireNonNull(GROUPS.get("debug"))::containsKey);
        own.remove("framework");
        readSection(own, BASE_KEYS);
    }

    /// A limit; `null` is none.
    private long bytes(ConfigValue value) {
        if (value.isNull()) {
            return Long.MAX_VALUE;
        }
        long bytes = value.integer();
        if (bytes <= 0) {
            throw value.place().error("a limit of " + bytes + " bytes");
        }
        return bytes;
    }

    /// Kept with its place: whether it may be set depends on keys that may come later.
    private static ConfigValue flagAt(ConfigValue value) {
        value.flag();
        return value;
    }

    /// Only when the whole file was read: keys come in any order.
    private void checkBatches() {
        if (fixedBatches.flag() && batchBytes == Long.MAX_VALUE && deviceBytes == Long.MAX_VALUE) {
            throw fixedBatches.place().error("needs max_batch_bytes or device_memory_budget");
        }
    }

    /// Whether direct storage shall not be used.
    boolean avoidsDirectStorage() {
        return loader.equals(BASE) && copier == Copier.NOGDS;
    }

    /// Sets what the file says. There a batch has a limit, here all live batches together have one: the budget is the
    /// limit times the batches that are alive at a time, which are those ahead, the one that is filled and the one that
    /// the consumer has; without a pipeline there is one.
    void apply(LoaderBuilder builder) {
        builder.numaPinning(numa);
        int ahead = pipeline ? queue : -1;
        builder.stream(new StreamOptions(ahead, false));
        long live = ahead + 2L;
        long budget = Math.min(deviceBytes, batchBytes > Long.MAX_VALUE / live ? Long.MAX_VALUE : batchBytes * live);
        if (budget != Long.MAX_VALUE) {
            builder.deviceBudget(budget);
        }
        if (loader.equals(BASE)) {
            builder.readers(Math.min(threads, 1024)).blockBytes((int) Math.min(1 << 30, slotKib * 1024L));
        } else {
            builder.backend(loader);
            ownSection.forEach((key, member) -> builder.backendProperty(key,
                    String.valueOf(member.value().content())));
        }
    }
}
