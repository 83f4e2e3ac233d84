package io.fastsafetensors.testkit;

import java.lang.reflect.Method;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DisplayName;
import org.jspecify.annotations.Nullable;

/// A rule of a suite.
///
/// @param id such as `A-07`
/// @param title what must hold
record Rule(String id, String title) {
    private static final Pattern NAME = Pattern.compile("([A-Z]-\\d\\d) (.+)");

    /// The rule that a method checks; null if it checks none.
    static @Nullable Rule of(Method method) {
        DisplayName name = method.getAnnotation(DisplayName.class);
        Matcher matcher = NAME.matcher(name == null ? "" : name.value());
        return matcher.matches() ? new Rule(matcher.group(1), matcher.group(2)) : null;
    }
}
