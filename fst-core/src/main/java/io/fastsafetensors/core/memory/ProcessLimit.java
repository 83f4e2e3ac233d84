package io.fastsafetensors.core.memory;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.ByteSize;
import java.util.OptionalLong;
import java.util.function.ToLongFunction;

/// Reads the bounds of the process that system properties set, each time they are asked for.
///
/// Properties are read when a bound is needed, so a test or a program may set them after these classes are loaded.
/// Who must use the same bound at the end as at the beginning keeps what was read.
public final class ProcessLimit {
    private ProcessLimit() {
    }

    /// A property's number; empty if it is not set.
    ///
    /// @param least the least that makes sense
    /// @throws ConfigException if the property is set to something else
    public static OptionalLong number(String property, long least) {
        return read(property, Long::parseLong, least);
    }

    /// A property's bytes, such as `1073741824` or `1 GiB`; empty if it is not set.
    ///
    /// @param least the least that makes sense
    /// @throws ConfigException if the property is set to something else
    public static OptionalLong bytes(String property, long least) {
        return read(property, ByteSize::parse, least);
    }

    /// A value that cannot be read is an error and no default: a bound that is silently not in force is found out too late.
    private static OptionalLong read(String property, ToLongFunction<String> parse, long least) {
        String text = System.getProperty(property);
        if (text == null) {
            return OptionalLong.empty();
        }
        try {
            long limit = parse.applyAsLong(text);
            if (limit >= least) {
                return OptionalLong.of(limit);
            }
        } catch (IllegalArgumentException e) {
            throw invalid(property, text, "; " + e.getMessage());
        }
        throw invalid(property, text, "; it is at least " + least);
    }

    private static ConfigException invalid(String property, String text, String reason) {
        return new ConfigException("property " + property + ": expected a number, found \"" + text + "\"" + reason,
                Where.nowhere());
    }
}
