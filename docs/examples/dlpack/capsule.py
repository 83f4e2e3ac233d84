"""DLPack's side of Python: a struct of fst in a capsule, a struct of a framework out of one. Deleters are counted."""

import ctypes
from ctypes import c_char_p, c_int, c_uint64, c_void_p, py_object

VERSIONED, LEGACY = "VERSIONED", "LEGACY"
# The capsule's name while nobody has taken the struct, its name afterwards, and where the deleter and the DLTensor are.
_FORMS = {VERSIONED: (b"dltensor_versioned", b"used_dltensor_versioned", 16, 32),
          LEGACY: (b"dltensor", b"used_dltensor", 56, 0)}

_DELETER = ctypes.CFUNCTYPE(None, c_void_p)


def _api(name, result, *arguments):
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_new = _api("PyCapsule_New", py_object, c_void_p, c_char_p, c_void_p)
_is_named = _api("PyCapsule_IsValid", c_int, py_object, c_char_p)
_pointer = _api("PyCapsule_GetPointer", c_void_p, py_object, c_char_p)
_rename = _api("PyCapsule_SetName", c_int, py_object, c_char_p)


class Deleters:
    """Counts how often deleters run, and calls them."""

    def __init__(self):
        self.calls = 0
        self._out = {}
        self._counting = _DELETER(self._run)

    def count(self, address, version):
        """From now on this struct's deleter is counted."""
        field = c_uint64.from_address(address + _FORMS[version][2])
        self._out[address] = field.value
        field.value = ctypes.cast(self._counting, c_void_p).value

    def _run(self, address):
        self.calls += 1
        _DELETER(self._out.pop(address))(address)


def delete(address, version):
    """Deletes a struct that is owned here."""
    _DELETER(c_uint64.from_address(address + _FORMS[version][2]).value)(address)


class Struct:
    """What `from_dlpack` of a framework takes: it has `__dlpack__`. The struct belongs to the first who takes it out of
    the capsule. If nobody did when this is collected, it is deleted here, and not by a destructor of the capsule:
    that may run in the middle of an exception, where no Python can."""

    def __init__(self, address, version):
        self._address = address
        self._version = version
        device = address + _FORMS[version][3] + 8
        self._device = (ctypes.c_int32.from_address(device).value, ctypes.c_int32.from_address(device + 4).value)
        self._capsule = _new(address, _FORMS[version][0], None)

    def __dlpack_device__(self):
        return self._device

    def __dlpack__(self, **_):
        return self._capsule

    def __del__(self):
        name, used, _, _ = _FORMS[self._version]
        if _is_named(self._capsule, name):
            _rename(self._capsule, used)
            delete(self._address, self._version)


def take(capsule):
    """The struct in a framework's capsule and its version; who calls this owns the struct."""
    for version, (name, used, _, _) in _FORMS.items():
        if _is_named(capsule, name):
            address = _pointer(capsule, name)
            _rename(capsule, used)
            return address, version
    raise ValueError("no capsule of DLPack, or a used one")
