package io.fastsafetensors.api;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import java.util.Objects;

/// An advisory finding about a checkpoint: it does not stop a load, unless [OpenOptions#strict()] makes it an error.
/// Immutable.
public final class CheckpointNote {
    private final FormatError error;
    private final String text;
    private final Location location;

    private CheckpointNote(FormatError error, String text, Location location) {
        this.error = Objects.requireNonNull(error);
        this.text = Objects.requireNonNull(text);
        this.location = Objects.requireNonNull(location);
    }

    /// A finding.
    ///
    /// @param error the error that it is in strict mode
    /// @param text what was found, how often, and what it means for a load; safe to show
    /// @param location the file or directory that it is about
    public static CheckpointNote of(FormatError error, String text, Location location) {
        return new CheckpointNote(error, text, location);
    }

    /// The error that it is in strict mode.
    public FormatError error() {
        return error;
    }

    /// The stable name of [#error()], such as `TotalSizeMismatch`.
    public String errorName() {
        return error.label();
    }

    /// What was found, in a sentence that is safe to show.
    public String text() {
        return text;
    }

    /// The file or directory that it is about.
    public Location location() {
        return location;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CheckpointNote that && error == that.error && text.equals(that.text)
                && location.equals(that.location);
    }

    @Override
    public int hashCode() {
        return Objects.hash(error, text, location);
    }

    /// The name in brackets, the text, and the place.
    @Override
    public String toString() {
        return "[" + errorName() + "] " + text + " [file " + Printable.escape(location.toString()) + "]";
    }
}
