package io.fastsafetensors.core.config;

import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.ShardSpec.Rule;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Reads which tensors are cut, and how: files, and the schemes that are shipped. Rules are an object of patterns to
/// dimensions; their order in the text is kept.
public final class ShardSpecs {
    /// Names of the files that come in the jar, `shards-NAME.json`.
    private static final List<String> SHIPPED = List.of("bloom", "falcon", "gpt2", "llama", "mixtral");
    /// More dimensions than a tensor in the wild has.
    private static final int MOST_DIMENSIONS = 64;

    private ShardSpecs() {
    }

    /// See [ShardSpec#read(Path)].
    ///
    /// @throws ConfigException naming the place of what is wrong
    public static ShardSpec read(Path file) {
        return of(ConfigFile.read(file));
    }

    /// See [ShardSpec#of(String)].
    ///
    /// @throws ConfigException if there is none of that name; it lists those that there are
    public static ShardSpec shipped(String scheme) {
        if (!SHIPPED.contains(scheme)) {
            throw new ConfigException("no shard specification \"" + scheme + "\"; there are "
                    + String.join(", ", SHIPPED) + ", and JSON files", Where.nowhere());
        }
        String name = "shards-" + scheme + ".json";
        try (InputStream in = ShardSpecs.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new AssertionError(name + " is not in the jar");
            }
            return of(ConfigFile.parse(Path.of(name), new String(in.readAllBytes(), StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Each rule is tried by itself first, so that the error is at its own place.
    private static ShardSpec of(ConfigValue content) {
        List<Rule> rules = new ArrayList<>();
        content.section().forEach((pattern, member) -> {
            rules.add(new Rule(pattern, member.value().integer(-1, MOST_DIMENSIONS - 1)));
            try {
                ShardSpec.of(List.of(rules.getLast()));
            } catch (IllegalArgumentException e) {
                throw member.place().error(String.valueOf(e.getMessage()));
            }
        });
        return ShardSpec.of(rules);
    }
}
