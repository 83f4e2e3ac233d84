package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.spi.storage.FileIdentity;
import java.util.Optional;

/// A server's description of one version of a resource. Two are equal if all parts are.
///
/// @param length in bytes
/// @param etag as the header has it; empty if the server tells none
/// @param lastModified as the header has it; empty if the server tells none
record Version(long length, Optional<String> etag, Optional<String> lastModified) {
    static Version of(long length, Head head) {
        return new Version(length, head.header("etag").filter(tag -> !tag.isEmpty()), head.header("last-modified"));
    }

    /// The ETag if a server compares it: weak ones never match.
    Optional<String> strongTag() {
        return etag.filter(tag -> tag.startsWith("\"") && tag.endsWith("\"") && tag.length() > 1);
    }

    /// Whether another content has another one for sure: only a strong ETag promises that.
    boolean isLasting() {
        return strongTag().isPresent();
    }

    /// Whether an answer that has these headers is of this version, as far as it says. Weak ETags count as text.
    boolean matches(Head head) {
        if (etag.isPresent()) {
            return head.header("etag").equals(etag);
        }
        return head.header("last-modified").equals(lastModified);
    }

    FileIdentity identity(String object) {
        return FileIdentity.of(object, length, etag.map(tag -> "ETag " + tag)
                .orElseGet(() -> lastModified.map(time -> "last modified " + time).orElse("no ETag")));
    }

    /// Whether both are one version: by their ETags if both have one.
    boolean isSame(Version other) {
        if (length != other.length) {
            return false;
        }
        boolean tagged = etag.isPresent() || other.etag.isPresent();
        return tagged ? etag.equals(other.etag) : lastModified.equals(other.lastModified);
    }
}
