package io.fastsafetensors.error;

import java.io.Serial;
import java.nio.file.Path;

/// A configuration file, property or environment variable with an unknown key or an ill-typed value.
public final class ConfigException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param detail the key and what is wrong with it
    /// @param where the file
    public ConfigException(String detail, Where where) {
        super(detail, where, null);
    }

    /// An error at a line and column (both from 1) of a configuration file.
    public static ConfigException at(Path file, int line, int column, String detail) {
        return new ConfigException("line " + line + ", column " + column + ": " + detail, Where.file(file));
    }

    private ConfigException(ConfigException original) {
        super(original);
    }

    @Override
    public ConfigException copy() {
        return new ConfigException(this);
    }
}
