package io.fastsafetensors.storage.http.wire;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// A connection to a server, plain or by TLS, directly or through a proxy. One thread at a time sends a request, receives the
/// head of the answer and reads its body, of whose framing it keeps account; [Connections] closes it from another thread when a deadline has passed.
final class Connection {
    /// A body that nobody wants is read to its end if it is no longer than this, so that the connection can be used again.
    private static final long WORTH_READING = 64 * 1024;
    private static final long UNTIL_CLOSED = -1;
    private static final int CONTINUE = 100;
    private static final int OK = 200;
    private static final int NO_CONTENT = 204;
    private static final int NOT_MODIFIED = 304;

    private final Address server;
    private final Optional<Proxies.Proxy> proxy;
    private final Duration readTimeout;
    private final BufferedSocket socket = new BufferedSocket();

    /// When the watching thread closes this, on the clock of `System.nanoTime()`; 0 for never.
    private volatile long deadline;
    private volatile boolean late;
    private volatile long idleSince;
    private boolean reused;

    // The body of the answer that is being read.
    private boolean chunked;
    private boolean ended = true;
    private long left;
    private boolean persistent;

    /// Not connected yet.
    Connection(Address server, Optional<Proxies.Proxy> proxy, Duration readTimeout) throws IOException {
        this.server = server;
        this.proxy = proxy;
        this.readTimeout = readTimeout;
    }

    /// Connects, asks a proxy for a tunnel, and secures what is https.
    void connect(Duration timeout) throws IOException {
        deadline = System.nanoTime() + timeout.toNanos();
        try {
            Address peer = proxy.map(Proxies.Proxy::address).orElse(server);
            InetAddress address = oneOf(InetAddress.getAllByName(peer.host()));
            socket.connect(new InetSocketAddress(address, peer.port()));
            if (server.tls()) {
                if (proxy.isPresent()) {
                    openTunnel(proxy.get());
                }
                socket.secure(server);
            }
        } catch (UnknownHostException e) {
            throw new IOException("the host's name is unknown", e);
        } catch (IOException e) {
            throw late ? late("connecting took longer than " + Connections.text(timeout), e) : e;
        } finally {
            deadline = 0;
        }
    }

    /// One of the preferred family: services spread their load over many, and the next try takes another.
    private static InetAddress oneOf(InetAddress[] addresses) {
        List<InetAddress> family = Arrays.stream(addresses).filter(each -> each.getClass() == addresses[0].getClass())
                .toList();
        return family.get(ThreadLocalRandom.current().nextInt(family.size()));
    }

    private void openTunnel(Proxies.Proxy through) throws IOException {
        String authority = (server.host().indexOf(':') < 0 ? server.host() : "[" + server.host() + "]") + ":"
                + server.port();
        String request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
                + through.authorization().map(value -> "Proxy-Authorization: " + value + "\r\n").orElse("") + "\r\n";
        socket.write(request.getBytes(StandardCharsets.ISO_8859_1));
        Head head = Head.parse(socket.head());
        if (head.status() != OK) {
            throw new ProxyRefusal(through + " answers " + head.status() + " when asked for a tunnel");
        }
        socket.clear();
    }

    /// Whether requests name the whole address, as a proxy without a tunnel wants it, and with which authorization.
    Optional<Proxies.Proxy> forwarding() {
        return server.tls() ? Optional.empty() : proxy;
    }

    boolean isReused() {
        return reused;
    }

    /// Whether a byte of the answer has come.
    boolean isAnswered() {
        return socket.isAnswered();
    }

    boolean isLate(long now) {
        long then = deadline;
        return then != 0 && now - then > 0;
    }

    /// Closed by the watching thread.
    void closeLate() {
        late = true;
        close();
    }

    void setIdle(long now) {
        idleSince = now;
        reused = true;
    }

    long idleSince() {
        return idleSince;
    }

    void send(byte[] request) throws IOException {
        timed(() -> socket.write(request));
    }

    /// Receives the head of the answer.
    ///
    /// @param withoutBody whether the request was a HEAD
    Head receive(boolean withoutBody) throws IOException {
        Head[] head = new Head[1];
        timed(() -> {
            do {
                head[0] = Head.parse(socket.head());
            } while (head[0].status() / CONTINUE == 1);
        });
        Head received = head[0];
        persistent = received.isPersistent();
        chunked = received.isChunked();
        long length = received.contentLength();
        if (withoutBody || received.status() == NO_CONTENT || received.status() == NOT_MODIFIED) {
            chunked = false;
            left = 0;
        } else {
            left = chunked ? 0 : length;
        }
        ended = !chunked && left == 0;
        return received;
    }

    private interface Step {
        void run() throws IOException;
    }

    private void timed(Step step) throws IOException {
        touch();
        try {
            step.run();
        } catch (IOException e) {
            throw late ? late("nothing arrived for " + Connections.text(readTimeout), e) : e;
        } finally {
            deadline = 0;
        }
    }

    private static IOException late(String what, IOException cause) {
        SocketTimeoutException late = new SocketTimeoutException(what);
        late.initCause(cause);
        return late;
    }

    private void touch() {
        deadline = System.nanoTime() + readTimeout.toNanos();
    }

    /// The next bytes of the body, straight into native memory unless they came with the head or by TLS.
    ///
    /// @return how many, at least 1; −1 at the body's end
    long read(MemorySegment target, long at, long most) throws IOException {
        long[] count = {-1};
        timed(() -> count[0] = nextBytes(target, at, most));
        return count[0];
    }

    private long nextBytes(MemorySegment target, long at, long most) throws IOException {
        if (chunked && left == 0 && !ended) {
            beginChunk();
        }
        if (ended) {
            return -1;
        }
        long wanted = left == UNTIL_CLOSED ? most : Math.min(most, left);
        long count = socket.read(target, at, wanted);
        if (count < 0) {
            if (left == UNTIL_CLOSED) {
                ended = true;
                persistent = false;
                return -1;
            }
            throw new EOFException("the connection ended in the middle of the answer's body");
        }
        if (left != UNTIL_CLOSED) {
            left -= count;
            ended = !chunked && left == 0;
            if (chunked && left == 0) {
                expectLine("");
            }
        }
        return count;
    }

    private void beginChunk() throws IOException {
        String line = socket.line();
        int semicolon = line.indexOf(';');
        String size = (semicolon < 0 ? line : line.substring(0, semicolon)).strip();
        if (!size.matches("[0-9A-Fa-f]{1,15}")) {
            throw new IOException("the answer has a chunk without a size");
        }
        left = Long.parseLong(size, 16);
        if (left == 0) {
            while (!socket.line().isEmpty()) {
                touch();
            }
            ended = true;
        }
    }

    private void expectLine(String expected) throws IOException {
        if (!socket.line().equals(expected)) {
            throw new IOException("a chunk of the answer is longer than it says");
        }
    }

    /// Reads what is left of the body if that is worth it.
    ///
    /// @return whether another request can be sent
    boolean finish() {
        if (ended) {
            return persistent && socket.isEmpty();
        }
        if (!persistent || (!chunked && (left == UNTIL_CLOSED || left > WORTH_READING))) {
            return false;
        }
        MemorySegment scratch = MemorySegment.ofArray(new byte[BufferedSocket.BUFFER]);
        try {
            for (long rest = WORTH_READING; rest > 0 && !ended;) {
                rest -= Math.max(0, read(scratch, 0, Math.min(rest, BufferedSocket.BUFFER)));
            }
        } catch (IOException _) {
            // Nobody wanted these bytes; the connection is not used again.
            return false;
        }
        return ended && socket.isEmpty();
    }

    /// Closes the socket at once, from any thread.
    void close() {
        try {
            socket.close();
        } catch (IOException _) {
            // There is nothing left to do for a socket that cannot be closed.
            deadline = 0;
        }
    }

    /// Refuses to be retried: the proxy wants something else.
    static final class ProxyRefusal extends IOException {
        private static final long serialVersionUID = 1L;

        ProxyRefusal(String message) {
            super(message);
        }
    }

    /// The server.
    @Override
    public String toString() {
        return server + proxy.map(through -> " through proxy " + through).orElse("");
    }
}
