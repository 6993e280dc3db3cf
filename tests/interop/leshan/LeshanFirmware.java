import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;

/**
 * A device made with Leshan's client library that takes firmware: by Californium's CoAP client, by HTTP, by push.
 *
 * Arguments: server, endpoint, lifetime in seconds, 5/0/9 (0 pull, 1 push, 2 both), 5/0/8 (numbers joined by commas), the
 * version that it runs. The images are those of the simulator, whose page describes them. Says on standard output what
 * happens: `registered`, `updated`, `downloaded <bytes> <SHA-256>`, `failed <result>`, `installed <version>`.
 */
public class LeshanFirmware {

    private static final int SHORT_SERVER_ID = 123;
    private static final int LARGEST_IMAGE = 8 << 20;
    private static final int ATTEMPTS = 30; // in a row that give nothing
    private static final long PAUSE_MS = 1000;
    private static final int IDLE = 0, DOWNLOADING = 1, DOWNLOADED = 2, UPDATING = 3;
    private static final int INITIAL = 0, SUCCESS = 1, CONNECTION_LOST = 4, DAMAGED = 5, NO_IMAGE = 6, BAD_URI = 7,
            NO_SUCH_PROTOCOL = 9;

    private static final ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor();
    private static LeshanClient client;

    /** An image that cannot be had, or is none. */
    private static class Failed extends Exception {
        private static final long serialVersionUID = 1L;
        final int result;

        Failed(int result) {
            this.result = result;
        }
    }

    /** Object 3, as far as it is asked for. */
    public static class Device extends BaseInstanceEnabler {
        private volatile String version;

        /** As Leshan wants one for further instances, which nobody creates. */
        public Device() {
            this("");
        }

        Device(String version) {
            this.version = version;
        }

        @Override
        public ReadResponse read(LwM2mServer server, int resource) {
            switch (resource) {
            case 0:
                return ReadResponse.success(resource, "Leshan");
            case 3:
                return ReadResponse.success(resource, version);
            case 16:
                return ReadResponse.success(resource, "U");
            default:
                return ReadResponse.notFound();
            }
        }

        @Override
        public List<Integer> getAvailableResourceIds(ObjectModel model) {
            return List.of(0, 3, 16);
        }

        void runs(String newVersion) {
            version = newVersion;
        }
    }

    /** Object 5. LwM2M Core 1.1.1, E.6. */
    public static class Firmware extends BaseInstanceEnabler {
        private final Device device;
        private final long delivery;
        private final Map<Integer, Long> protocols = new HashMap<>();
        private volatile int state = IDLE, result = INITIAL;
        private volatile String version = "", imageVersion = "", uri = "";

        /** As Leshan wants one for further instances, which nobody creates. */
        public Firmware() {
            this(new Device(), "2", "0");
        }

        Firmware(Device device, String delivery, String protocols) {
            this.device = device;
            this.delivery = Long.parseLong(delivery);
            for (String number : protocols.split(",")) {
                this.protocols.put(this.protocols.size(), Long.parseLong(number));
            }
        }

        @Override
        public ReadResponse read(LwM2mServer server, int resource) {
            switch (resource) {
            case 1:
                return ReadResponse.success(resource, uri);
            case 3:
                return ReadResponse.success(resource, state);
            case 5:
                return ReadResponse.success(resource, result);
            case 7:
                return ReadResponse.success(resource, version);
            case 8:
                return ReadResponse.success(resource, protocols, org.eclipse.leshan.core.model.ResourceModel.Type.INTEGER);
            case 9:
                return ReadResponse.success(resource, delivery);
            default:
                return ReadResponse.notFound();
            }
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
            if (resource == 0) {
                return writePackage((byte[]) value.getValue());
            }
            if (resource == 1) {
                return writeUri((String) value.getValue());
            }
            return WriteResponse.methodNotAllowed();
        }

        @Override
        public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
            if (resource != 2 || state != DOWNLOADED) {
                return ExecuteResponse.methodNotAllowed();
            }
            is(UPDATING, INITIAL);
            later.schedule(this::restart, PAUSE_MS, TimeUnit.MILLISECONDS);
            return ExecuteResponse.success();
        }

        @Override
        public List<Integer> getAvailableResourceIds(ObjectModel model) {
            return List.of(0, 1, 2, 3, 5, 7, 8, 9);
        }

        private WriteResponse writePackage(byte[] image) {
            if (image.length == 0 || (image.length == 1 && image[0] == 0)) {
                is(IDLE, INITIAL);
                return WriteResponse.success();
            }
            if (delivery == 0 || state == DOWNLOADED || state == UPDATING) {
                return WriteResponse.methodNotAllowed();
            }
            try {
                take(image);
                return WriteResponse.success();
            } catch (Failed failed) {
                fail(failed.result);
                return WriteResponse.internalServerError("result " + failed.result);
            }
        }

        private WriteResponse writeUri(String given) {
            uri = given;
            if (given.isEmpty()) {
                is(IDLE, INITIAL);
                return WriteResponse.success();
            }
            if (delivery == 1 || state == DOWNLOADED || state == UPDATING) {
                return WriteResponse.methodNotAllowed();
            }
            is(DOWNLOADING, INITIAL);
            later.execute(() -> {
                try {
                    take(fetch(given));
                } catch (Failed failed) {
                    fail(failed.result);
                }
            });
            return WriteResponse.success();
        }

        private byte[] fetch(String from) throws Failed {
            if (from.startsWith("coap:") && protocols.containsValue(0L)) {
                return byCoap(from);
            }
            if (from.startsWith("http:") && protocols.containsValue(2L)) {
                return byHttp(from);
            }
            throw new Failed(NO_SUCH_PROTOCOL);
        }

        private void take(byte[] image) throws Failed {
            imageVersion = versionOf(image);
            version = imageVersion;
            say("downloaded " + image.length + " " + digest(image));
            is(DOWNLOADED, INITIAL);
        }

        private void restart() {
            client.stop(false);
            device.runs(imageVersion);
            state = IDLE;
            result = SUCCESS;
            client.start();
            say("installed " + imageVersion);
        }

        private void fail(int why) {
            say("failed " + why);
            is(IDLE, why);
        }

        private void is(int newState, int newResult) {
            if (newState == IDLE) {
                version = "";
            }
            state = newState;
            result = newResult;
            fireResourceChange(3);
            fireResourceChange(5);
        }
    }

    private static Configuration large(Configuration configuration) {
        // As it comes, Californium takes 8 KiB.
        return configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, LARGEST_IMAGE);
    }

    private static byte[] byCoap(String uri) throws Failed {
        CoapConfig.register();
        CoapEndpoint endpoint = new CoapEndpoint.Builder().setConfiguration(large(new Configuration())).build();
        CoapClient fetching = new CoapClient(uri).setEndpoint(endpoint).setTimeout(TimeUnit.MINUTES.toMillis(10));
        try {
            CoapResponse answer = fetching.get();
            if (answer == null) {
                throw new Failed(CONNECTION_LOST);
            }
            if (!answer.isSuccess()) {
                say("refused " + answer.getCode() + " " + answer.getResponseText());
                throw new Failed(BAD_URI);
            }
            return answer.getPayload();
        } catch (Exception error) {
            if (error instanceof Failed) {
                throw (Failed) error;
            }
            throw new Failed(CONNECTION_LOST);
        } finally {
            endpoint.destroy();
        }
    }

    /** In ranges: what breaks off goes on where it broke. */
    private static byte[] byHttp(String uri) throws Failed {
        ByteBuffer image = ByteBuffer.allocate(LARGEST_IMAGE);
        HttpClient http = HttpClient.newHttpClient();
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            int had = image.position();
            try {
                HttpRequest request = HttpRequest.newBuilder(URI.create(uri))
                        .header("Range", "bytes=" + image.position() + "-").build();
                HttpResponse<InputStream> answer = http.send(request, HttpResponse.BodyHandlers.ofInputStream());
                if (answer.statusCode() >= 500) {
                    throw new IOException("not now");
                }
                if (answer.statusCode() != 206) {
                    say("refused " + answer.statusCode());
                    throw new Failed(BAD_URI);
                }
                try (InputStream body = answer.body()) {
                    byte[] part = new byte[4096];
                    for (int count = body.read(part); count >= 0; count = body.read(part)) {
                        image.put(part, 0, count);
                    }
                }
                return Arrays.copyOf(image.array(), image.position());
            } catch (IOException error) {
                attempt = image.position() > had ? 0 : attempt;
                pause();
            } catch (InterruptedException error) {
                break;
            }
        }
        throw new Failed(CONNECTION_LOST);
    }

    private static void pause() throws Failed {
        try {
            Thread.sleep(PAUSE_MS);
        } catch (InterruptedException error) {
            throw new Failed(CONNECTION_LOST);
        }
    }

    private static String versionOf(byte[] image) throws Failed {
        if (image.length < 11 || !new String(image, 0, 4, StandardCharsets.US_ASCII).equals("FNFW") || image[4] != 1) {
            throw new Failed(NO_IMAGE);
        }
        CRC32 checksum = new CRC32();
        checksum.update(image, 0, image.length - 4);
        if ((int) checksum.getValue() != ByteBuffer.wrap(image, image.length - 4, 4).getInt()) {
            throw new Failed(DAMAGED);
        }
        int length = ByteBuffer.wrap(image, 5, 2).getShort() & 0xFFFF;
        String head = new String(image, 7, length, StandardCharsets.UTF_8);
        Matcher found = Pattern.compile("\"version\": \"([^\"]*)\"").matcher(head);
        if (!found.find()) {
            throw new Failed(NO_IMAGE);
        }
        return found.group(1);
    }

    private static String digest(byte[] image) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(image));
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    private static class Witness extends LwM2mClientObserverAdapter {
        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String registrationId) {
            say("registered " + registrationId);
        }

        @Override
        public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
            say("updated");
        }
    }

    public static void main(String[] arguments) throws Exception {
        Device device = new Device(arguments[5]);
        ObjectsInitializer objects = new ObjectsInitializer();
        objects.setInstancesForObject(0, Security.noSec(arguments[0], SHORT_SERVER_ID));
        objects.setInstancesForObject(1, new Server(SHORT_SERVER_ID, Long.parseLong(arguments[2]),
                EnumSet.of(BindingMode.U), false, BindingMode.U));
        objects.setInstancesForObject(3, device);
        objects.setInstancesForObject(5, new Firmware(device, arguments[3], arguments[4]));
        CaliforniumClientEndpointsProvider.Builder endpoints = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider());
        endpoints.setConfiguration(large(endpoints.createDefaultConfiguration()));
        LeshanClientBuilder builder = new LeshanClientBuilder(arguments[1]);
        builder.setObjects(new ArrayList<>(objects.createAll()));
        builder.setEndpointsProviders(endpoints.build());
        client = builder.build();
        client.addObserver(new Witness());
        client.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.equals("update")) {
                client.triggerRegistrationUpdate();
            }
        }
        System.exit(0);
    }

    private static synchronized void say(String text) {
        System.out.println(text);
    }
}
