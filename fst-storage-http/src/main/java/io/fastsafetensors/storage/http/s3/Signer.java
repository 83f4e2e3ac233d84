package io.fastsafetensors.storage.http.s3;

import io.fastsafetensors.storage.http.wire.Headers;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Signs requests by AWS Signature Version 4, as the specification "Authenticating Requests (AWS Signature Version 4)" has it:
/// a canonical form of the request is hashed, and the hash signed with a key derived from date, region and service.
/// Stateless.
final class Signer {
    /// The SHA-256 of nothing, the payload of every read.
    static final String EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private static final String ALGORITHM = "AWS4-HMAC-SHA256";
    private static final String MAC = "HmacSHA256";
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);
    private static final int DAY = 8;
    /// What is changed on the way, or set later.
    private static final Set<String> UNSIGNED = Set.of("authorization", "user-agent", "accept-encoding", "connection",
            "expect");

    private final String region;
    private final String service;

    Signer(String region, String service) {
        this.region = region;
        this.service = service;
    }

    /// Adds date, payload hash, session token and Authorization to a request.
    ///
    /// @param target path and query, each name and value percent-encoded as S3 wants it
    /// @param headers with Host; all of them are signed but those that change on the way
    /// @param payload the SHA-256 of the body in hexadecimal digits
    void sign(String method, String target, Headers headers, String payload, Credentials credentials, Instant now) {
        headers.set("x-amz-date", TIME.format(now)).set("x-amz-content-sha256", payload);
        credentials.sessionToken().ifPresent(token -> headers.set("x-amz-security-token", token));
        headers.set("authorization", authorization(method, target, headers, payload, credentials, now));
    }

    /// The value of Authorization for a request whose other headers are complete.
    String authorization(String method, String target, Headers headers, String payload, Credentials credentials,
            Instant now) {
        String time = TIME.format(now);
        String day = time.substring(0, DAY);
        String scope = day + "/" + region + "/" + service + "/aws4_request";
        String signed =
                String.join(";", headers.values().keySet().stream().filter(name -> !UNSIGNED.contains(name)).toList());
        String toSign = ALGORITHM + "\n" + time + "\n" + scope + "\n"
                + hex(sha256(canonical(method, target, headers, signed, payload)));
        byte[] key = mac(mac(mac(mac(("AWS4" + credentials.secretKey()).getBytes(StandardCharsets.UTF_8), day), region),
                service), "aws4_request");
        return ALGORITHM + " Credential=" + credentials.accessKey() + "/" + scope + ",SignedHeaders=" + signed
                + ",Signature=" + hex(mac(key, toSign));
    }

    /// The canonical request.
    static String canonical(String method, String target, Headers headers, String signed, String payload) {
        int question = target.indexOf('?');
        String path = question < 0 ? target : target.substring(0, question);
        String query = question < 0 ? "" : target.substring(question + 1);
        String canonicalQuery = query.isEmpty() ? "" : Arrays.stream(query.split("&")).filter(part -> !part.isEmpty())
                .map(part -> part.indexOf('=') < 0 ? part + "=" : part)
                // By name, then by value: '=' would come after some characters of a name.
                .sorted((a, b) -> a.replace('=', '\0').compareTo(b.replace('=', '\0')))
                .collect(Collectors.joining("&"));
        StringBuilder text = new StringBuilder(method).append('\n').append(path.isEmpty() ? "/" : path).append('\n')
                .append(canonicalQuery).append('\n');
        headers.values().forEach((name, value) -> {
            if (!UNSIGNED.contains(name)) {
                text.append(name).append(':').append(value.strip().replaceAll(" +", " ")).append('\n');
            }
        });
        return text.append('\n').append(signed).append('\n').append(payload).toString();
    }

    static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JDK has no SHA-256", e);
        }
    }

    private static byte[] mac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance(MAC);
            mac.init(new SecretKeySpec(key, MAC));
            return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JDK has no HMAC-SHA256", e);
        }
    }
}
