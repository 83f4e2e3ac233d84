package io.fastsafetensors.storage.http.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.storage.http.wire.Headers;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The published examples of Signature Version 4: those of the S3 API reference ("Signature Calculations for the Authorization
/// Header") and of the Signature Version 4 test suite.
class SignerTest {
    private static final String S3_HOST = "examplebucket.s3.amazonaws.com";

    @ParameterizedTest(name = "{0} {1} {2}")
    @CsvSource(delimiter = '|', nullValues = "-", value = {
        "GET | /test.txt            | range:bytes=0-9 | - | f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        "PUT | /test%24file.text    | date:Fri, 24 May 2013 00:00:00 GMT;x-amz-storage-class:REDUCED_REDUNDANCY | 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072 | 98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "GET | /?lifecycle          | - | - | fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        "GET | /?max-keys=2&prefix=J | - | - | 34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        "GET | /?prefix=J&max-keys=2 | - | - | 34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"})
    void examples_of_the_s3_api_reference(String method, String target, String headers, String payload,
            String signature) {
        Credentials credentials =
                Credentials.lasting("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                        Optional.empty());
        Headers all = headers(S3_HOST, headers);
        new Signer("us-east-1", "s3").sign(method, target, all, payload == null ? Signer.EMPTY : payload, credentials,
                Instant.parse("2013-05-24T00:00:00Z"));
        String value = all.values().get("authorization");
        assertEquals("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
                value.substring(0, value.indexOf(',')));
        assertEquals(signature, value.substring(value.indexOf("Signature=") + "Signature=".length()));
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', nullValues = "-", value = {
        "get-vanilla                    | GET  | / | - | - | 5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        "post-vanilla                   | POST | / | - | - | 5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        "get-vanilla-query-order-key-case | GET | /?Param2=value2&Param1=value1 | - | - | b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        "get-vanilla-query-unreserved   | GET  | /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz | - | - | 9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        "get-vanilla-empty-query-key    | GET  | /?Param1=value1 | - | - | a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        "get-utf8                       | GET  | /%E1%88%B4 | - | - | 8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        "get-header-value-trim          | GET  | / | my-header1: value1;my-header2: \"a   b   c\" | - | acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        "post-x-www-form-urlencoded     | POST | / | content-type:application/x-www-form-urlencoded | 9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e | ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"})
    void examples_of_the_test_suite(String name, String method, String target, String headers, String payload,
            String signature) {
        Credentials credentials = Credentials.lasting("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                Optional.empty());
        Headers all = headers("example.amazonaws.com", headers).set("x-amz-date", "20150830T123600Z");
        String value = new Signer("us-east-1", "service").authorization(method, target, all,
                payload == null ? Signer.EMPTY : payload, credentials, Instant.parse("2015-08-30T12:36:00Z"));
        assertEquals(signature, value.substring(value.indexOf("Signature=") + "Signature=".length()), name);
    }

    private static Headers headers(String host, String more) {
        Headers headers = new Headers().set("Host", host);
        if (more != null) {
            for (String each : more.split(";")) {
                headers.set(each.substring(0, each.indexOf(':')), each.substring(each.indexOf(':') + 1));
            }
        }
        return headers;
    }
}
