package io.fastsafetensors.error;

import java.io.Serial;
import java.io.Serializable;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The context of an error: file, tensor, offset, backend. Parts that do not apply are null; the known ones end the
/// exception's message.
///
/// @param file the file, as text so that exceptions stay serialisable
/// @param tensor the tensor's name, unescaped
/// @param offset the byte offset in the file
/// @param backend the backend's name
public record Where(@Nullable String file, @Nullable String tensor, @Nullable Long offset, @Nullable String backend)
        implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;

    private static final Where NOWHERE = new Where(null, null, null, null);

    /// No place known.
    public static Where nowhere() {
        return NOWHERE;
    }

    /// In `file`.
    public static Where file(Path file) {
        return new Where(file.toString(), null, null, null);
    }

    /// In the backend called `name`.
    public static Where backend(String name) {
        return new Where(null, null, null, name);
    }

    /// The same place, in the tensor `name`.
    public Where withTensor(@Nullable String name) {
        return new Where(file, name, offset, backend);
    }

    /// The same place, at byte `position` of the file.
    public Where withOffset(long position) {
        return new Where(file, tensor, position, backend);
    }

    /// The same place, in the backend called `name`.
    public Where withBackend(String name) {
        return new Where(file, tensor, offset, name);
    }

    /// ` [file …, tensor …, offset …, backend …]` of the known parts, or the empty string. Control characters of
    /// names are escaped, since names come from untrusted headers.
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        append(text, "file", file);
        append(text, "tensor", tensor);
        append(text, "offset", offset);
        append(text, "backend", backend);
        return text.isEmpty() ? "" : text.insert(0, " [").append(']').toString();
    }

    private static void append(StringBuilder text, String label, @Nullable Object value) {
        if (value != null) {
            text.append(text.isEmpty() ? "" : ", ").append(label).append(' ')
                    .append(Printable.escape(value.toString()));
        }
    }
}
