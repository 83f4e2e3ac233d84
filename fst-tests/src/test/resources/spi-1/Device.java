package io.fastsafetensors.types;

import java.util.Locale;

public record Device(String type, int index) {
    public static final Device CPU = new Device("cpu", 0);
    public static final Device AUTO = new Device("auto", 0);

    public Device {
        if (!type.matches("[a-z][a-z0-9]*") || index < 0) {
            throw new IllegalArgumentException("no device: \"" + type + ":" + index
                    + "\"; expected a form such as cpu, cuda:0, rocm:0, opencl:1, gpu:0 or auto");
        }
    }

    public static Device parse(String text) {
        int colon = text.indexOf(':');
        String type = (colon < 0 ? text : text.substring(0, colon)).toLowerCase(Locale.ROOT);
        try {
            return new Device(type, colon < 0 ? 0 : Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("no device: \"" + text + "\"; expected a form such as cpu or cuda:0", e);
        }
    }

    public boolean isCpu() {
        return type.equals("cpu");
    }

    @Override
    public String toString() {
        return isCpu() || type.equals("auto") ? type : type + ":" + index;
    }
}
