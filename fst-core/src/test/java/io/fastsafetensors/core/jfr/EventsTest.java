package io.fastsafetensors.core.jfr;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdk.jfr.Event;
import jdk.jfr.EventType;
import jdk.jfr.FlightRecorder;
import jdk.jfr.SettingDescriptor;
import jdk.jfr.ValueDescriptor;
import org.junit.jupiter.api.Test;

/// The page about events against the events.
class EventsTest {
    /// What every event of the JDK has.
    private static final Set<String> COMMON = Set.of("startTime", "duration", "eventThread", "stackTrace");
    private static final Pattern HEADING = Pattern.compile("## `(fst\\.\\w+)`: (.*)");
    private static final Pattern FIELD = Pattern.compile("\\| `(\\w+)` \\| (\\w+) \\|([^|]*)\\|.*");

    /// @param title its label
    /// @param facts whether it is on, and whether it has a stack trace
    /// @param fields type and unit by name
    private record Described(String title, String facts, Map<String, String> fields) {
    }

    private static Map<String, Described> inCode() throws Exception {
        Map<String, Described> events = new TreeMap<>();
        Path classes = Path.of(Recorder.class.getProtectionDomain().getCodeSource().getLocation().toURI())
                .resolve(Recorder.class.getPackageName().replace('.', '/'));
        try (Stream<Path> files = Files.list(classes)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
                Class<?> type = Class.forName(Recorder.class.getPackageName() + "."
                        + file.getFileName().toString().replace(".class", ""));
                if (Event.class.isAssignableFrom(type) && !Modifier.isAbstract(type.getModifiers())) {
                    FlightRecorder.register(type.asSubclass(Event.class));
                    EventType event = EventType.getEventType(type.asSubclass(Event.class));
                    events.put(event.getName(), described(event));
                }
            }
        }
        return events;
    }

    private static Described described(EventType event) {
        Map<String, String> fields = new TreeMap<>();
        for (ValueDescriptor field : event.getFields()) {
            if (!COMMON.contains(field.getName())) {
                String type = field.getTypeName().substring(field.getTypeName().lastIndexOf('.') + 1);
                String unit = field.getContentType() == null ? "" : field.getContentType();
                fields.put(field.getName(), type + " " + (unit.equals("jdk.jfr.DataAmount") ? "bytes" : unit).strip());
            }
        }
        return new Described(event.getLabel(), "enabled: " + setting(event, "enabled") + ", stack trace: "
                + setting(event, "stackTrace"), fields);
    }

    private static String setting(EventType event, String name) {
        return event.getSettingDescriptors().stream().filter(setting -> setting.getName().equals(name))
                .map(SettingDescriptor::getDefaultValue).findFirst().orElse("never");
    }

    private static Map<String, Described> onThePage() throws IOException {
        Map<String, Described> events = new TreeMap<>();
        List<String> lines = Files.readAllLines(Path.of("../docs/flight-recorder.md"));
        String current = "";
        for (int i = 0; i < lines.size(); i++) {
            Matcher heading = HEADING.matcher(lines.get(i));
            Matcher field = FIELD.matcher(lines.get(i));
            if (heading.matches()) {
                current = heading.group(1);
                events.put(current, new Described(heading.group(2), lines.get(i + 2), new TreeMap<>()));
            } else if (field.matches() && events.containsKey(current)) {
                events.get(current).fields.put(field.group(1), field.group(2) + " " + field.group(3).strip());
            }
        }
        return events;
    }

    @Test
    void the_page_has_every_event_with_its_fields_and_defaults() throws Exception {
        Map<String, Described> code = inCode();
        assertTrue(code.size() >= 6, code.keySet().toString());
        assertEquals(new TreeSet<>(code.keySet()), new TreeSet<>(onThePage().keySet()));
        Map<String, Described> page = onThePage();
        code.forEach((name, event) -> assertEquals(event, page.get(name), name));
    }
}
