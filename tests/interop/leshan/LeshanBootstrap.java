import java.util.HexFormat;
import java.util.List;

import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.object.Device;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * A device made with Leshan's client library that knows a bootstrap server alone; says what happens on standard output.
 *
 * Arguments: bootstrap server, endpoint, and with coaps identity and key in hex.
 */
public class LeshanBootstrap {

    /** Says how requests to the servers ended. */
    private static class Witness extends LwM2mClientObserverAdapter {
        @Override
        public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
            say("bootstrapped");
        }

        @Override
        public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code, String reason,
                Exception cause) {
            say("refused " + code + " " + reason);
        }

        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String registrationId) {
            say("registered " + server.getUri());
        }
    }

    public static void main(String[] arguments) throws Exception {
        ObjectsInitializer objects = new ObjectsInitializer();
        objects.setInstancesForObject(0,
                arguments.length == 2 ? Security.noSecBootstrap(arguments[0])
                        : Security.pskBootstrap(arguments[0], arguments[2].getBytes(),
                                HexFormat.of().parseHex(arguments[3])));
        objects.setClassForObject(1, Server.class);
        objects.setInstancesForObject(3, new Device("Leshan", "bootstrap", "1"));
        LeshanClientBuilder builder = new LeshanClientBuilder(arguments[1]);
        builder.setObjects(objects.createAll());
        builder.setEndpointsProviders(new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider(),
                new CoapsClientProtocolProvider()).build());
        LeshanClient client = builder.build();
        client.addObserver(new Witness());
        client.start();
        while (System.in.read() >= 0) {
            Thread.yield();
        }
        client.destroy(false);
    }

    private static synchronized void say(String text) {
        System.out.println(text);
    }
}
