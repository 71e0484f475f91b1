/* The floor of a call: three str read as UTF-8, an object returned that is already there. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *answer;
static volatile Py_ssize_t length; /* so that the reading is not optimised away */

static PyObject *f3(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "f3 takes three str");
        return NULL;
    }
    Py_ssize_t sum = 0;
    for (int i = 0; i < 3; i++) {
        Py_ssize_t size;
        if (PyUnicode_AsUTF8AndSize(args[i], &size) == NULL)
            return NULL;
        sum += size;
    }
    length = sum;
    Py_INCREF(answer);
    return answer;
}

static PyMethodDef functions[] = {
    {"f3", (PyCFunction)(void (*)(void))f3, METH_FASTCALL, "Read three str, return one object."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "trimtab_floor", NULL, -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_trimtab_floor(void)
{
    answer = PyTuple_Pack(1, Py_None); /* made once, not immortal, as a Match is */
    return answer == NULL ? NULL : PyModule_Create(&module);
}
