"""A Java virtual machine inside this process: JNI's invocation API through ctypes, as far as the examples need it."""

import ctypes
import os
from ctypes import byref, c_char_p, c_int32, c_int64, c_uint64, c_void_p

JNI_VERSION = 0x00150000  # 21

# Places in JNI's function table (jni.h, struct JNINativeInterface_).
FIND_CLASS, EXCEPTION_OCCURRED, EXCEPTION_CLEAR = 6, 15, 17
NEW_GLOBAL_REF, DELETE_GLOBAL_REF, DELETE_LOCAL_REF = 21, 22, 23
GET_OBJECT_CLASS, GET_METHOD_ID, CALL_OBJECT, CALL_LONG, CALL_VOID = 31, 33, 36, 54, 63
GET_STATIC_METHOD_ID, CALL_STATIC_OBJECT = 113, 116
NEW_STRING, GET_STRING, RELEASE_STRING, NEW_ARRAY = 167, 169, 170, 172


class _Option(ctypes.Structure):
    _fields_ = [("text", c_char_p), ("extra", c_void_p)]


class _Arguments(ctypes.Structure):
    _fields_ = [("version", c_int32), ("count", c_int32), ("options", ctypes.POINTER(_Option)),
                ("lenient", ctypes.c_uint8)]


class JavaError(RuntimeError):
    """What Java threw, as text."""


class Object:
    """A Java object that stays until this is collected."""

    def __init__(self, jvm, local):
        self.jvm = jvm
        self.ref = jvm._jni(NEW_GLOBAL_REF, c_void_p, c_void_p(local))
        jvm._jni(DELETE_LOCAL_REF, None, c_void_p(local))

    def call(self, name, signature, *arguments):
        """Calls a method by its name and JNI signature."""
        return self.jvm._call(self, name, signature, arguments)

    def __str__(self):
        return self.jvm.text(self.call("toString", "()Ljava/lang/String;"))

    def __del__(self):
        self.jvm._jni(DELETE_GLOBAL_REF, None, c_void_p(self.ref))


class Jvm:
    """The virtual machine. There is one in a process at most, and it stays. Use it from the thread that made it."""

    def __init__(self, java_home, options):
        library = ctypes.CDLL(os.path.join(java_home, "lib", "server", "libjvm.so"))
        # -Xrs: Python keeps SIGINT, SIGTERM and SIGHUP.
        texts = ["-Xrs", *options]
        array = (_Option * len(texts))(*[_Option(text.encode(), None) for text in texts])
        arguments = _Arguments(JNI_VERSION, len(texts), array, 0)
        machine, self.env = c_void_p(), c_void_p()
        status = library.JNI_CreateJavaVM(byref(machine), byref(self.env), byref(arguments))
        if status != 0:
            raise JavaError(f"JNI_CreateJavaVM: {status}")
        self.table = ctypes.cast(ctypes.cast(self.env, ctypes.POINTER(c_void_p))[0], ctypes.POINTER(c_void_p))

    def _jni(self, place, result, *arguments):
        # CFUNCTYPE lets go of Python's lock: a deleter that Java calls may need it.
        prototype = ctypes.CFUNCTYPE(result, c_void_p, *[type(a) for a in arguments])
        return prototype(self.table[place])(self.env, *arguments)

    def _check(self):
        thrown = self._jni(EXCEPTION_OCCURRED, c_void_p)
        if thrown:
            self._jni(EXCEPTION_CLEAR, None)
            raise JavaError(str(Object(self, thrown)))

    def _class(self, name):
        found = self._jni(FIND_CLASS, c_void_p, c_char_p(name.encode()))
        self._check()
        return found

    def _words(self, arguments):
        words = [a.ref if isinstance(a, Object) else a for a in arguments]
        return ctypes.cast((c_uint64 * max(1, len(words)))(*words), c_void_p)

    def string(self, text):
        """A java.lang.String."""
        return Object(self, self._jni(NEW_STRING, c_void_p, c_char_p(text.encode())))

    def text(self, string):
        """The text of a java.lang.String."""
        characters = self._jni(GET_STRING, c_void_p, c_void_p(string.ref), c_void_p())
        try:
            return ctypes.string_at(characters).decode()
        finally:
            self._jni(RELEASE_STRING, None, c_void_p(string.ref), c_void_p(characters))

    def path(self, path):
        """A java.nio.file.Path."""
        strings = c_void_p(self._class("java/lang/String"))
        none = Object(self, self._jni(NEW_ARRAY, c_void_p, c_int32(0), strings, c_void_p()))
        return self.static("java/nio/file/Path", "of", "(Ljava/lang/String;[Ljava/lang/String;)Ljava/nio/file/Path;",
                           self.string(path), none)

    def static(self, class_name, name, signature, *arguments):
        """Calls a static method that returns an object."""
        found = self._class(class_name)
        method = self._jni(GET_STATIC_METHOD_ID, c_void_p, c_void_p(found), c_char_p(name.encode()),
                           c_char_p(signature.encode()))
        self._check()
        result = self._jni(CALL_STATIC_OBJECT, c_void_p, c_void_p(found), c_void_p(method), self._words(arguments))
        self._check()
        return Object(self, result)

    def _call(self, target, name, signature, arguments):
        found = self._jni(GET_OBJECT_CLASS, c_void_p, c_void_p(target.ref))
        method = self._jni(GET_METHOD_ID, c_void_p, c_void_p(found), c_char_p(name.encode()),
                           c_char_p(signature.encode()))
        self._jni(DELETE_LOCAL_REF, None, c_void_p(found))
        self._check()
        place, kind = {"V": (CALL_VOID, None), "J": (CALL_LONG, c_int64)}.get(signature[-1], (CALL_OBJECT, c_void_p))
        result = self._jni(place, kind, c_void_p(target.ref), c_void_p(method), self._words(arguments))
        self._check()
        return Object(self, result) if kind is c_void_p and result else result
