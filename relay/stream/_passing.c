/* The compiled half of relay/stream/passing.py, which says what these functions do, and does the
 * same in Python where this has not been compiled. tests/stream/test_passing.py holds them together.
 *
 * Everything here happens without waiting and with the GIL held, so one buffer serves all. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
/* The hex digits of READ_BYTES: no chunk with a longer size has arrived whole. */
#define MAX_DIGITS 5

static char buffer[READ_BYTES];

/* How nearly every event begins; no word of interest is in it, nor begins in it. Not having to look
 * here is half of a short event. */
static const char opening[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";

/* Whether the underscore at `at` joins these two. */
static int
joins(const char *data, const char *at, const char *end, const char *before, const char *after)
{
    size_t left = strlen(before), right = strlen(after);
    return (size_t)(at - data) >= left && (size_t)(end - at) > right
           && memcmp(at - left, before, left) == 0 && memcmp(at + 1, after, right) == 0;
}

/* memchr passes over a text at many bytes a step, memmem does not: hence by the underscore. */
static int
is_content(const char *data, size_t length)
{
    const char *end = data + length;
    if (length >= sizeof opening - 1 && memcmp(data, opening, sizeof opening - 1) == 0)
        data += sizeof opening - 1;
    for (const char *at = data; (at = memchr(at, '_', (size_t)(end - at))) != NULL; at++)
        if (joins(data, at, end, "message", "") || joins(data, at, end, "block", "start")
            || joins(data, at, end, "signature", ""))
            return 0;
    return memmem(data, (size_t)(end - data), "error", 5) == NULL;
}

/* The length of the chunk that begins here, or 0: "<size>\r\n<whole events>\r\n", all of it there
 * and the size as we would write it. */
static size_t
chunk_length(const char *data, size_t length)
{
    static const char end[] = {'\n', '\n', '\r', '\n'};
    size_t size = 0, digits = 0;
    for (; digits < length && digits < MAX_DIGITS && data[digits] != '\r'; digits++) {
        char digit = data[digits];
        if (digit >= '0' && digit <= '9')
            size = size * 16 + (size_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            size = size * 16 + (size_t)(digit - 'a' + 10);
        else
            return 0;
    }
    if (digits == 0 || data[0] == '0' || size < 2)
        return 0;
    size_t whole = digits + 2 + size + 2;
    if (length < whole || data[digits] != '\r' || data[digits + 1] != '\n')
        return 0;
    return memcmp(data + whole - sizeof end, end, sizeof end) == 0 ? whole : 0;
}

/* No word reaches over the border of two chunks, as every chunk ends with an event. */
static int
passes(const char *data, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t chunk = chunk_length(data + at, length - at);
        if (chunk == 0)
            return 0;
        const char *events = memchr(data + at, '\n', chunk);
        if (!is_content(events + 1, (size_t)(data + at + chunk - events - 1)))
            return 0;
        at += chunk;
    }
    return length > 0;
}

static PyObject *
content(PyObject *module, PyObject *data)
{
    if (!PyBytes_Check(data))
        return PyErr_Format(PyExc_TypeError, "bytes are asked for");
    return PyBool_FromLong(is_content(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)));
}

static PyObject *
may_pass(PyObject *module, PyObject *data)
{
    if (!PyBytes_Check(data))
        return PyErr_Format(PyExc_TypeError, "bytes are asked for");
    return PyBool_FromLong(passes(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)));
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
    if (!passes(buffer, (size_t)got))
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
    {"is_content", content, METH_O, NULL},
    {"may_pass", may_pass, METH_O, NULL},
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
