package io.fastsafetensors.storage.http;

import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.storage.http.RangeServer.Request;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Lists what a [RangeServer] has as ListObjectsV2 does, by pages.
final class S3Server {
    private S3Server() {
    }

    /// The answer to a request for a list; null if it is none.
    static @Nullable Answer list(RangeServer server, Request request, int most) {
        Map<String, String> query = new HashMap<>();
        for (String each : request.target().substring(request.path().length()).replace("?", "").split("&")) {
            int equals = each.indexOf('=');
            query.put(equals < 0 ? each : each.substring(0, equals), equals < 0 ? ""
                    : URLDecoder.decode(each.substring(equals + 1).replace("+", "%2B"), StandardCharsets.UTF_8));
        }
        if (!"2".equals(query.get("list-type"))) {
            return null;
        }
        String prefix = query.get("prefix");
        Map<String, Boolean> entries = new TreeMap<>();
        for (String path : server.files().keySet()) {
            String key = URLDecoder.decode(path.substring(request.path().length()).replace("+", "%2B"),
                    StandardCharsets.UTF_8);
            if (path.startsWith(request.path()) && key.startsWith(prefix)) {
                int slash = key.indexOf('/', prefix.length());
                entries.put(slash < 0 ? key : key.substring(0, slash + 1), slash >= 0);
            }
        }
        String token = query.getOrDefault("continuation-token", "");
        int limit = Math.min(most, Integer.parseInt(query.getOrDefault("max-keys", "1000")));
        StringBuilder xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                + "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>");
        int count = 0;
        String next = "";
        for (Map.Entry<String, Boolean> each : entries.entrySet()) {
            if (!token.isEmpty() && each.getKey().compareTo(token) <= 0) {
                continue;
            }
            if (count == limit) {
                xml.append("<IsTruncated>true</IsTruncated><NextContinuationToken>").append(escape(next))
                        .append("</NextContinuationToken>");
                break;
            }
            count++;
            next = each.getKey();
            String name = URLEncoder.encode(next, StandardCharsets.UTF_8);
            xml.append(each.getValue() ? "<CommonPrefixes><Prefix>" + name + "</Prefix></CommonPrefixes>"
                    : "<Contents><Key>" + name + "</Key><Size>1</Size></Contents>");
        }
        return Answer.of(200).body(xml.append("</ListBucketResult>").toString()).inChunks();
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;");
    }

    /// A refusal as S3 writes it.
    static Answer error(int status, String code) {
        return Answer.of(status).body("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>" + code
                + "</Code><Message>AKIASECRET</Message></Error>");
    }
}
