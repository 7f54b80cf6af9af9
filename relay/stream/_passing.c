/* The compiled half of relay/stream/passing.py, which says what these functions do, and does the
 * same in Python where this has not been compiled. tests/stream/test_passing.py holds them together.
 *
 * Everything here happens without waiting and with the GIL held, so one buffer serves all. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
/* The hex digits of READ_BYTES: no chunk with a longer size can have arrived whole. */
#define MAX_DIGITS 5

static char buffer[READ_BYTES];

static int
holds(const char *data, size_t length, const char *word)
{
    return memmem(data, length, word, strlen(word)) != NULL;
}

/* "<size>\r\n<whole events>\r\n", the size as we would write it. */
static int
is_content(const char *data, size_t length)
{
    static const char end[] = {'\n', '\n', '\r', '\n'};
    if (length < sizeof end || memcmp(data + length - sizeof end, end, sizeof end) != 0)
        return 0;
    const char *line = memchr(data, '\r', length);
    size_t digits = (size_t)(line - data); /* `end` holds one, so there is one */
    if (digits == 0 || digits > MAX_DIGITS || line[1] != '\n' || length < digits + 4)
        return 0;
    char size[MAX_DIGITS + 12];
    int written = snprintf(size, sizeof size, "%zx", length - digits - 4);
    if (written != (int)digits || memcmp(size, data, digits) != 0)
        return 0;
    return !holds(data, length, "message_") && !holds(data, length, "error");
}

static PyObject *
is_content_chunk(PyObject *module, PyObject *data)
{
    if (!PyBytes_Check(data))
        return PyErr_Format(PyExc_TypeError, "bytes are asked for");
    return PyBool_FromLong(is_content(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)));
}

static PyObject *
pass_on(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "two descriptors are asked for");
    int from = PyLong_AsLong(args[0]);
    int to = PyLong_AsLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    ssize_t got;
    do
        got = read(from, buffer, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            Py_RETURN_NONE;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (!is_content(buffer, (size_t)got))
        return PyBytes_FromStringAndSize(buffer, got);
    ssize_t put;
    do
        put = write(to, buffer, (size_t)got);
    while (put < 0 && errno == EINTR);
    if (put == got)
        Py_RETURN_TRUE;
    /* Whoever writes the rest meets the error, if it was one. */
    return Py_BuildValue("(y#n)", buffer, (Py_ssize_t)got, (Py_ssize_t)(put < 0 ? 0 : put));
}

static PyMethodDef functions[] = {
    {"is_content_chunk", is_content_chunk, METH_O, NULL},
    {"pass_on", (PyCFunction)(void (*)(void))pass_on, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "relay.stream._passing",
    .m_size = 0,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__passing(void)
{
    return PyModuleDef_Init(&definition);
}
