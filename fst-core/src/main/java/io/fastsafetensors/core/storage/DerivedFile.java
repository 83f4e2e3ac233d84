package io.fastsafetensors.core.storage;

import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// An open [DerivedSource]: uses its parts until it is closed. Whether they are one version is asked of them.
final class DerivedFile implements StorageFile {
    private final Location location;
    private final DerivedSource source;
    private final List<SourceFile> used = new ArrayList<>();
    private final DerivedSource.Bytes bytes;

    DerivedFile(Location location, DerivedSource source, List<SourceFile> parts) {
        this.location = location;
        this.source = source;
        try {
            List<StorageFile> open = new ArrayList<>(parts.size());
            for (SourceFile part : parts) {
                open.add(part.retain());
                used.add(part);
            }
            this.bytes = source.open(open);
        } catch (RuntimeException | Error e) {
            releaseParts(new Releases()).because(e);
            throw e;
        }
    }

    private Releases releaseParts(Releases releases) {
        used.forEach(part -> releases.run(part::release));
        used.clear();
        return releases;
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public long length() {
        return source.length();
    }

    @Override
    public FileIdentity identity() {
        return FileIdentity.of(location.toString());
    }

    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long count) {
        return bytes.read(offset, target, targetOffset, Math.clamp(source.length() - offset, 0, count));
    }

    @Override
    public String storageName() {
        return source.name();
    }

    @Override
    public String reason() {
        return source.reason();
    }

    @Override
    public <A> Optional<A> ability(Class<A> type) {
        return bytes.ability(type);
    }

    @Override
    public void close() {
        releaseParts(new Releases().run(bytes::close)).finish();
    }
}
