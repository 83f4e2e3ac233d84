package io.fastsafetensors.storage.http;

import io.fastsafetensors.testkit.StorageFixture;
import io.fastsafetensors.types.Location;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/// Files of a [RangeServer] of its own.
final class WebFixture extends StorageFixture {
    private static final AtomicInteger NUMBERS = new AtomicInteger();

    private final RangeServer server;
    private final String base;
    private final boolean listing;
    private final Location directory;

    /// By the addresses of a server of its own.
    WebFixture(RangeServer server) {
        this(server, server.address(), false);
    }

    /// In a bucket of a server.
    WebFixture(RangeServer server, String bucket) {
        this(server, bucket, true);
    }

    private WebFixture(RangeServer server, String base, boolean listing) {
        this.server = server;
        this.base = base;
        this.listing = listing;
        this.directory = Location.of(base).resolve("files" + NUMBERS.incrementAndGet());
    }

    @Override
    public Location location(String name) {
        return directory.resolve(name);
    }

    private String path(Location file) {
        return (listing ? "/bucket" : "") + file.address().substring(base.length());
    }

    @Override
    public boolean lists() {
        return listing;
    }

    @Override
    public void makeDirectory(Location made) {
        server.put(path(made) + "/", new byte[0]);
    }

    @Override
    public void write(Location file, byte[] bytes) {
        server.put(path(file), bytes);
    }

    @Override
    public void delete(Location file) {
        server.remove(path(file));
    }

    @Override
    public void rewrite(Location file, byte[] bytes) {
        write(file, bytes);
    }

    @Override
    public void append(Location file, byte[] bytes) {
        RangeServer.Content then = server.files().get(path(file));
        byte[] all = Arrays.copyOf(then.range(0, (int) then.length()), (int) then.length() + bytes.length);
        System.arraycopy(bytes, 0, all, (int) then.length(), bytes.length);
        write(file, all);
    }

    @Override
    public void truncate(Location file, long length) {
        write(file, server.files().get(path(file)).range(0, (int) length));
    }

    @Override
    public void writeSparse(Location file, long length, Map<Long, byte[]> pieces) {
        server.put(path(file), length, pieces);
    }

    @Override
    public void failReads(Location file, long offset) {
        server.fail(path(file), offset);
    }

    @Override
    public boolean owns(Thread thread) {
        return server.owns(thread);
    }

    @Override
    public void close() {
        if (!listing) {
            server.close();
        }
    }
}
