package io.fastsafetensors.site;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The generated site: its own links lead to pages and headings that are there.
class SiteTest {
    private static final Path SITE = Path.of(System.getProperty("fst.site", "target/site"));
    private static final Pattern ADDRESS = Pattern.compile("(?:href|src|srcset)=\"([^\"]+)\"");

    private static List<Path> pages() throws IOException {
        try (Stream<Path> files = Files.walk(SITE)) {
            return files.filter(file -> file.toString().endsWith(".html") && !file.startsWith(SITE.resolve("api")))
                    .toList();
        }
    }

    @Test
    void every_link_leads_to_a_page_and_heading() throws IOException {
        List<String> broken = new ArrayList<>();
        assertTrue(pages().size() > 20, pages()::toString);
        for (Path page : pages()) {
            for (MatchResult found : ADDRESS.matcher(Files.readString(page)).results().toList()) {
                String[] parts = found.group(1).split("#", 2);
                if (parts[0].contains(":")) {
                    continue;
                }
                Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
                if (!Files.isRegularFile(target)
                        || parts.length > 1 && !Files.readString(target).contains("id=\"" + parts[1] + "\"")) {
                    broken.add(SITE.relativize(page) + ": " + found.group(1));
                }
            }
        }
        assertEquals(List.of(), broken);
    }

    @Test
    void the_javadoc_has_the_api_and_the_testkit() {
        for (String type : List.of("io.fastsafetensors.api/io/fastsafetensors/api/Loader.html",
                "io.fastsafetensors.testkit/io/fastsafetensors/testkit/BackendConformance.html")) {
            assertTrue(Files.isRegularFile(SITE.resolve("api").resolve(type)), type);
        }
    }
}
