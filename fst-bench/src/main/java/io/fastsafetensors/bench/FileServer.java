package io.fastsafetensors.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Serves a directory by ranges over HTTP/1.1 on the loopback interface; the kernel moves the bytes (sendfile). For machines
/// that have no server installed. It may be told to wait before each answer, as far servers do.
public final class FileServer implements AutoCloseable {
    private static final int MOST_OF_A_HEAD = 16 << 10;
    private static final Pattern REQUEST =
            Pattern.compile(
                    "(?s)GET /([A-Za-z0-9._/-]*) HTTP/1\\.1\r\n.*?\r\nrange: bytes=([0-9]{1,18})-([0-9]{1,18})\r\n.*",
                    Pattern.CASE_INSENSITIVE);

    private final Path root;
    private final ServerSocketChannel listener;
    private volatile long delayMillis;
    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();

    /// Serves a directory for another process, until the end of its input: tells the address of the directory, then takes a
    /// line with the milliseconds before each answer, as often as they change.
    public static void main(String[] args) throws IOException {
        try (FileServer server = new FileServer(Path.of(args[0]));
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println(server.address(Path.of(args[0])));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                server.delayMillis = Long.parseLong(line);
            }
        }
    }

    /// Starts to serve.
    public FileServer(Path root) {
        this.root = root;
        try {
            listener = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 256);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofPlatform().daemon().name("file-server").start(this::accept);
    }

    /// The address of a file below the directory.
    public String address(Path file) {
        try {
            InetSocketAddress local = (InetSocketAddress) listener.getLocalAddress();
            return "http://127.0.0.1:" + local.getPort() + "/" + root.relativize(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void accept() {
        while (listener.isOpen()) {
            try {
                SocketChannel connection = listener.accept();
                connections.add(connection);
                Thread.ofPlatform().daemon().name("file-server-connection").start(() -> serve(connection));
            } catch (IOException _) {
                // It was closed.
                return;
            }
        }
    }

    private void serve(SocketChannel connection) {
        ByteBuffer head = ByteBuffer.allocateDirect(MOST_OF_A_HEAD);
        try (connection) {
            while (connection.read(head) >= 0) {
                String text = StandardCharsets.ISO_8859_1.decode(head.duplicate().flip()).toString();
                if (text.endsWith("\r\n\r\n")) {
                    head.clear();
                    Thread.sleep(delayMillis);
                    answer(connection, text);
                }
            }
        } catch (IOException | InterruptedException _) {
            // The client has closed it; nobody interrupts.
            connections.remove(connection);
        } finally {
            connections.remove(connection);
        }
    }

    private void answer(SocketChannel connection, String request) throws IOException {
        Matcher parts = REQUEST.matcher(request);
        if (!parts.matches() || parts.group(1).contains("..")) {
            write(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        try (FileChannel file = FileChannel.open(root.resolve(parts.group(1)))) {
            long from = Long.parseLong(parts.group(2));
            long to = Math.min(file.size(), Long.parseLong(parts.group(3)) + 1);
            write(connection, "HTTP/1.1 206 Partial Content\r\nETag: \""
                    + Files.getLastModifiedTime(root.resolve(parts.group(1))).toMillis() + "-" + file.size()
                    + "\"\r\nContent-Range: bytes " + from + "-" + (to - 1) + "/" + file.size() + "\r\nContent-Length: "
                    + (to - from) + "\r\n\r\n");
            for (long at = from; at < to;) {
                at += file.transferTo(at, to - at, connection);
            }
        } catch (NoSuchFileException _) {
            write(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    }

    private static void write(SocketChannel connection, String text) throws IOException {
        ByteBuffer bytes = StandardCharsets.ISO_8859_1.encode(text);
        while (bytes.hasRemaining()) {
            connection.write(bytes);
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (SocketChannel connection : connections) {
                connection.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
