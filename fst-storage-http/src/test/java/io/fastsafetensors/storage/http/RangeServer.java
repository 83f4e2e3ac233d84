package io.fastsafetensors.storage.http;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ServerSocketFactory;
import org.jspecify.annotations.Nullable;

/// An HTTP/1.1 server of ranges on the loopback interface, whose answers a test can replace one by one.
final class RangeServer implements AutoCloseable {
    private static final String THREADS = "range-server-";

    /// A request.
    ///
    /// @param target as the request line has it
    /// @param headers by names in lower case
    record Request(String method, String target, Map<String, String> headers, byte[] body) {
        String path() {
            int query = target.indexOf('?');
            return query < 0 ? target : target.substring(0, query);
        }

        String header(String name) {
            return headers.getOrDefault(name, "");
        }
    }

    /// One version of a file; what no piece covers is 0.
    record Content(long length, Map<Long, byte[]> pieces, String etag) {
        byte[] range(long first, int size) {
            byte[] bytes = new byte[size];
            pieces.forEach((at, piece) -> {
                long from = Math.max(first, at);
                long to = Math.min(first + size, at + piece.length);
                if (from < to) {
                    System.arraycopy(piece, (int) (from - at), bytes, (int) (from - first), (int) (to - from));
                }
            });
            return bytes;
        }
    }

    /// A test's treatment of a request.
    interface Behaviour {
        /// @return the answer; null for the usual one
        @Nullable
        Answer answer(Request request) throws Exception;
    }

    /// An answer.
    ///
    /// @param cut how many bytes of the body are sent before the connection is closed; −1 for all
    record Answer(int status, Map<String, String> headers, byte[] body, long cut, boolean chunked) {
        static Answer of(int status, String... headers) {
            Map<String, String> all = new LinkedHashMap<>();
            for (int i = 0; i < headers.length; i += 2) {
                all.put(headers[i], headers[i + 1]);
            }
            return new Answer(status, all, new byte[0], -1, false);
        }

        Answer body(String text) {
            return body(text.getBytes(StandardCharsets.UTF_8));
        }

        Answer body(byte[] bytes) {
            return new Answer(status, headers, bytes, cut, chunked);
        }

        Answer cutAfter(long bytes) {
            return new Answer(status, headers, body, bytes, chunked);
        }

        Answer inChunks() {
            return new Answer(status, headers, body, cut, true);
        }

        /// With another header, or without it if the value is null.
        Answer with(String name, @Nullable String value) {
            Map<String, String> all = new LinkedHashMap<>(headers);
            all.put(name, value);
            return new Answer(status, all, body, cut, chunked);
        }
    }

    /// No two servers have one version of anything, though they may have the same port one after the other.
    private static final AtomicLong VERSIONS = new AtomicLong();

    final List<Request> requests = new CopyOnWriteArrayList<>();
    private final Map<String, Content> files = new ConcurrentSkipListMap<>();
    private final Map<String, Long> failing = new ConcurrentHashMap<>();
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicLong connections = new AtomicLong();
    private final ServerSocket listener;
    private final boolean tls;
    volatile Behaviour behaviour = _ -> null;

    RangeServer() {
        this(ServerSocketFactory.getDefault(), false);
    }

    RangeServer(ServerSocketFactory factory, boolean tls) {
        this.tls = tls;
        try {
            listener = factory.createServerSocket(0, 100, InetAddress.getByName("127.0.0.1"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        start("accept", this::accept);
    }

    String address() {
        return (tls ? "https://localhost:" : "http://127.0.0.1:") + listener.getLocalPort();
    }

    int port() {
        return listener.getLocalPort();
    }

    long connections() {
        return connections.get();
    }

    boolean owns(Thread thread) {
        return thread.getName().startsWith(THREADS);
    }

    void put(String path, byte[] bytes) {
        put(path, bytes.length, Map.of(0L, bytes));
    }

    void put(String path, long length, Map<Long, byte[]> pieces) {
        files.put(path, new Content(length, new TreeMap<>(pieces), "\"v" + VERSIONS.incrementAndGet() + "\""));
    }

    void remove(String path) {
        files.remove(path);
    }

    Map<String, Content> files() {
        return files;
    }

    void fail(String path, long offset) {
        failing.put(path, offset);
    }

    private void start(String name, Runnable work) {
        Thread.ofPlatform().daemon().name(THREADS + name).start(work);
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket socket = listener.accept();
                sockets.add(socket);
                start("connection", () -> serve(socket));
            } catch (IOException _) {
                return;
            }
        }
    }

    private void serve(Socket socket) {
        connections.incrementAndGet();
        try (socket) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            OutputStream out = socket.getOutputStream();
            Request request = read(in);
            while (request != null) {
                requests.add(request);
                Answer answer = behaviour.answer(request);
                if (answer == null) {
                    answer = usual(request);
                }
                if (!send(request, answer, out)) {
                    return;
                }
                request = read(in);
            }
        } catch (Exception _) {
            // The client went away, or the server was closed.
            sockets.remove(socket);
        } finally {
            sockets.remove(socket);
        }
    }

    static @Nullable Request read(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) {
                return null;
            }
            head.write(next);
        }
        String[] lines = head.toString(StandardCharsets.ISO_8859_1).split("\r\n");
        String[] first = lines[0].split(" ");
        Map<String, String> headers = new TreeMap<>();
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            headers.put(lines[i].substring(0, colon).toLowerCase(Locale.ROOT), lines[i].substring(colon + 1).strip());
        }
        byte[] body = in.readNBytes(Integer.parseInt(headers.getOrDefault("content-length", "0")));
        return new Request(first[0], first[1], headers, body);
    }

    /// What a server does that keeps to the rules.
    Answer usual(Request request) {
        Content content = files.get(request.path());
        if (content == null) {
            return Answer.of(404).body("there is no such file");
        }
        if (!request.header("if-match").isEmpty() && !request.header("if-match").equals(content.etag())) {
            return Answer.of(412, "ETag", content.etag());
        }
        String range = request.header("range");
        if (range.isEmpty()) {
            return Answer.of(200, "ETag", content.etag()).body(content.range(0, (int) content.length()));
        }
        String[] ends = range.substring("bytes=".length()).split("-");
        long first = Long.parseLong(ends[0]);
        long last = Math.min(Long.parseLong(ends[1]), content.length() - 1);
        if (first > last) {
            return Answer.of(416, "ETag", content.etag(), "Content-Range", "bytes */" + content.length());
        }
        Answer answer = Answer.of(206, "ETag", content.etag(), "Content-Range",
                "bytes " + first + "-" + last + "/" + content.length())
                .body(content.range(first, (int) (last + 1 - first)));
        Long broken = failing.get(request.path());
        return broken != null && first <= broken && broken <= last ? answer.cutAfter(broken - first) : answer;
    }

    private static boolean send(Request request, Answer answer, OutputStream out) throws IOException {
        StringBuilder head = new StringBuilder("HTTP/1.1 " + answer.status() + " So\r\n");
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        if (answer.chunked()) {
            headers.put("Transfer-Encoding", "chunked");
        } else {
            headers.put("Content-Length", Integer.toString(answer.body().length));
        }
        headers.putAll(answer.headers());
        headers.forEach((name, value) -> {
            if (value != null) {
                head.append(name).append(": ").append(value).append("\r\n");
            }
        });
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
        int size = request.method().equals("HEAD") ? 0
                : answer.cut() < 0 ? answer.body().length : (int) Math.min(answer.cut(), answer.body().length);
        if (answer.chunked()) {
            for (int at = 0; at < size;) {
                int chunk = Math.min(1000 + at % 777, size - at);
                all.write((Integer.toHexString(chunk) + ";x=y\r\n").getBytes(StandardCharsets.ISO_8859_1));
                all.write(answer.body(), at, chunk);
                all.write("\r\n".getBytes(StandardCharsets.ISO_8859_1));
                at += chunk;
            }
            if (answer.cut() < 0) {
                all.write("0\r\nX-Trailer: t\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
            }
        } else {
            all.write(answer.body(), 0, size);
        }
        all.writeTo(out);
        out.flush();
        return answer.cut() < 0 && !"close".equals(answer.headers().get("Connection"));
    }

    /// Closes every idle connection, as servers do after a while.
    void closeConnections() {
        for (Socket socket : sockets) {
            try {
                socket.close();
            } catch (IOException _) {
                sockets.remove(socket);
            }
        }
    }

    /// Answers every connection with the same text.
    static final class Raw implements AutoCloseable {
        private final ServerSocket listener;

        Raw(String text) {
            try {
                listener = new ServerSocket(0, 100, InetAddress.getByName("127.0.0.1"));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            Thread.ofPlatform().daemon().name(THREADS + "raw").start(() -> run(text));
        }

        private void run(String text) {
            while (true) {
                try (Socket socket = listener.accept()) {
                    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
                    RangeServer.read(socket.getInputStream());
                } catch (IOException _) {
                    if (listener.isClosed()) {
                        return;
                    }
                }
            }
        }

        String address() {
            return "http://127.0.0.1:" + listener.getLocalPort();
        }

        @Override
        public void close() {
            try {
                listener.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        closeConnections();
    }
}
